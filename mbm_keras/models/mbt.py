"""MBT: transformers that talk through a bottleneck of a few tokens.

Nagrani et al. 2021, "Attention Bottlenecks for Multimodal Fusion",
https://arxiv.org/abs/2107.00135. Deviations: any inputs, words too; dropout for
stochastic depth; nothing pre-trained. The preset "audioset" has the parameters of the
authors' base model, whose spectrogram has three equal channels.

    input i --> <name>_tower: patches + positions --> `unimodal` blocks --> tokens t_i
    `fused` times, for every i:  [b_i, t_i] = block_i([b, t_i]);  b = mean_i b_i
    mean over the places of norm(t_i), mean over i --> head
"""

import functools

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import Sinusoids
from mbm_keras.layers import ValidMask
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import present_mean
from mbm_keras.tasks import classification
from mbm_keras.tasks import multi_label
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import valid_masks

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16, patch=8)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8, patch=8)),
        ],
        num_outputs=3,
        width=8,
        num_heads=2,
        unimodal=1,
        fused=2,
        tokens=2,
    ),
    # 32 frames and 8 seconds of sound: one or more of 527 sounds.
    "audioset": dict(
        features=[
            InputSpec("video", "video", dict(num_frames=32, size=224)),
            InputSpec("audio", "audio", dict(frames=800, num_mel_bins=128, channels=3)),
        ],
        num_outputs=527,
        head=multi_label.head,
        output="sounds",
        width=768,
        num_heads=12,
        unimodal=8,
        fused=4,
        presence=False,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class Positions(keras.layers.Layer):
    """Adds a learned vector to each place.

    Input shape:
        `(batch, places, width)`, as many places every time.

    Output shape:
        The same.
    """

    def build(self, shape):
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.kernel = self.add_weight(shape[1:], normal, name="positions")

    def call(self, x):
        return x + self.kernel


def text_patches(vocabulary_size, *, width, name):
    """Words: an embedding of each, and sines for positions."""
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    return text, Sinusoids()(x)  # (batch, steps, width)


def image_patches(size, *, width, name, patch=16):
    """A picture: squares of `patch` pixels, from the top left in rows."""
    image = keras.Input((size, size, 3), dtype="uint8", name=name)
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(width, patch, patch)(x)
    return image, Positions()(layers.Reshape((-1, width))(x))


def video_patches(num_frames, size, *, width, name, patch=16, frames_per_patch=2):
    """A clip: boxes of `patch` pixels and a few frames; a box of zeros is padding."""
    video = keras.Input((num_frames, size, size, 3), dtype="uint8", name=name)
    box = (frames_per_patch, patch, patch)
    x = layers.Rescaling(1 / 127.5, offset=-1)(video)
    x = layers.Conv3D(width, box, box)(x)  # (batch, times, rows, columns, width)
    times, places = x.shape[1], x.shape[1] * x.shape[2] * x.shape[3]
    real = nonzero_steps(video)[:, : times * frames_per_patch : frames_per_patch]
    real = ops.repeat(real, places // times, axis=1)  # (batch, places)
    x = Positions()(layers.Reshape((places, width))(x))
    return video, AttachMask()([x, real])


def audio_patches(frames, num_mel_bins, *, width, name, patch=16, channels=1):
    """A sound: squares of a spectrogram, in rows of one time."""
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = ops.repeat(ops.expand_dims(audio, -1), channels, axis=-1)
    x = layers.Conv2D(width, patch, patch)(x)
    return audio, Positions()(layers.Reshape((-1, width))(x))


PATCHES = {
    "audio": audio_patches,
    "image": image_patches,
    "text": text_patches,
    "video": video_patches,
}


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    width=128,
    num_heads=4,
    unimodal=2,
    fused=2,
    tokens=4,
    dropout=0.0,
    towers=None,
    presence=True,
    name="mbt",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality` (`"text"`, `"image"`, `"video"` or `"audio"`), and what it is to
            be cut up: `size`, `frames` and so on, and `patch`, 16 where not given.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Width of a token.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        unimodal: Blocks of each modality on its own.
        fused: Blocks of each modality with the bottleneck; what the first puts into
            it, the second takes out.
        tokens: Number of tokens of the bottleneck.
        dropout: Rate of dropout in the blocks.
        towers: Builder by input name, with the arguments of the zoo's towers, for what
            cuts an input up and for its own blocks.
        presence: True to take the input `present`, for rows in which an input is
            absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, those that `features` lists. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name:
            label: `(batch, num_outputs)` float32 logits.

    Raises:
        ValueError: If there is nothing that cuts a modality up.
    """

    def block():
        return AttentionBlock(num_heads, dropout=dropout)

    def tower_of(cut):
        @functools.wraps(cut)  # its sizes are those of the tower
        def tower(*, width, pool, name, **sizes):
            x, y = cut(**sizes, width=width, name=name)
            here = ValidMask()(y)
            for _ in range(unimodal):
                y = block()(y, context_mask=here)
            y = MaskedMean()(y) if pool else AttachMask()([y, here])
            return keras.Model([x], y, name=tower_name(name))

        return tower

    inputs, t, present = encode_all(
        features,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults={modality: tower_of(cut) for modality, cut in PATCHES.items()},
    )  # (batch, places, width) each
    counts = valid_masks(t, present)  # (batch, places) each

    b = LearnedTokens(tokens, width, name="bottleneck")(t[0])
    always = ValidMask()(b)
    for _ in range(fused):
        shared = []
        for i, here in enumerate(counts):
            x = layers.Concatenate(axis=1)([b, t[i]])
            known = ops.concatenate([always, here], axis=1)
            x = block()(x, context_mask=known)
            shared.append(x[:, :tokens])
            t[i] = x[:, tokens:]
        b = present_mean(shared, present)  # (batch, tokens, width)

    norm = layers.LayerNormalization(name="norm")
    pooled = [
        MaskedMean()(AttachMask()([norm(x), here]))
        for x, here in zip(t, counts, strict=True)
    ]
    x = present_mean(pooled, present)  # (batch, width)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)
