"""MBT: transformers of single modalities that exchange a few bottleneck tokens.

Nagrani et al. 2021, "Attention Bottlenecks for Multimodal Fusion",
https://arxiv.org/abs/2107.00135, with the pooling of the authors' configurations (the
paper has a class token per modality). Deviations: any of text, image, video and audio;
dropout for stochastic depth; no pretraining. The preset "audioset" is the authors' base
model, whose spectrogram has three equal channels.

    input i --> <key>_tower: patches + positions --> blocks of its own --> tokens t_i
    every fusion block, for every i:  [b_i, t_i] = block_i([b, t_i]);  b = mean_i b_i
    mean over all tokens of norm([t_1, ..., t_n]) --> head
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PixelValues
from mbm_keras.layers import Sinusoids
from mbm_keras.layers import ValidMask
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import present_mean
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs
from mbm_keras.towers.encode import valid_masks

EPSILON = 1e-6  # of the normalizations
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16, patch=8)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8, patch=8)),
            ],
            task=Classification(3),
            width=8,
            num_heads=2,
            num_unimodal_blocks=1,
            num_fusion_blocks=2,
            num_bottleneck_tokens=2,
        )
    ),
    # 32 frames and 8 seconds of sound: one or more of 527 sounds.
    "audioset": Preset(
        dict(
            inputs=[
                InputSpec("video", "video", dict(num_frames=32, size=224)),
                InputSpec(
                    "audio", "audio", dict(frames=800, num_mel_bins=128, channels=3)
                ),
            ],
            task=MultiLabel(527, "sounds"),
            width=768,
            num_heads=12,
            num_unimodal_blocks=8,
            num_fusion_blocks=4,
            presence=False,
        ),
        parameters=175_005_455,
        source="https://github.com/google-research/scenic, projects/mbt",
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mbt")
class Positions(keras.layers.Layer):
    """Adds a learned vector to each token.

    Input shape:
        `(batch, n, width)`, with the same `n` every time.

    Output shape:
        The same.
    """

    def build(self, shape):
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.kernel = self.add_weight(shape[1:], normal, name="positions")

    def call(self, x):
        return x + self.kernel


def text_tower(
    vocabulary_size,
    *,
    width=128,
    num_heads=4,
    num_blocks=2,
    dropout=0.0,
    pool=True,
    name="text",
):
    """Builds the tower of words: an embedding of each, and sines for positions.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        width: Width of a token.
        num_heads: Attention heads of a block.
        num_blocks: Blocks of this modality.
        dropout: Rate of dropout in the blocks.
        pool: True for the mean over the tokens.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, steps)` int32 to `(batch, width)`, or
        `(batch, steps, width)` with its Keras mask.
    """
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    x = Sinusoids()(x)  # (batch, steps, width)
    x = _blocks(x, num_blocks, num_heads, dropout, pool)
    return keras.Model([text], x, name=tower_name(name))


def image_tower(
    size,
    *,
    patch=16,
    width=128,
    num_heads=4,
    num_blocks=2,
    dropout=0.0,
    pool=True,
    name="image",
):
    """Builds the tower of an image: squares of pixels, row after row.

    Args:
        size: Height and width of the image, in pixels.
        patch: Height and width of a square.
        width: As for `text_tower`, and all that follow.
        num_heads: The same.
        num_blocks: The same.
        dropout: The same.
        pool: The same.
        name: The same.

    Returns:
        A functional `keras.Model` from `(batch, size, size, 3)` in [0, 255] or
        [0, 1] to `(batch, width)`, or `(batch, (size / patch)^2, width)`.
    """
    image = keras.Input((size, size, 3), dtype="float32", name=name)
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(image))
    x = layers.Conv2D(width, patch, patch)(x)  # (batch, rows, columns, width)
    x = Positions()(layers.Reshape((-1, width))(x))  # (batch, squares, width)
    x = _blocks(x, num_blocks, num_heads, dropout, pool)
    return keras.Model([image], x, name=tower_name(name))


def video_tower(
    num_frames,
    size,
    *,
    patch=16,
    frames_per_patch=2,
    width=128,
    num_heads=4,
    num_blocks=2,
    dropout=0.0,
    pool=True,
    name="video",
):
    """Builds the tower of a clip: boxes of pixels and frames; zeros are padding.

    Args:
        num_frames: Number of frames.
        size: Height and width of a frame, in pixels.
        patch: Height and width of a box.
        frames_per_patch: Frames of a box.
        width: As for `text_tower`, and all that follow.
        num_heads: The same.
        num_blocks: The same.
        dropout: The same.
        pool: The same.
        name: The same.

    Returns:
        A functional `keras.Model` from `(batch, num_frames, size, size, 3)` in
        [0, 255] or [0, 1] to `(batch, width)`, or `(batch, boxes, width)` with its
        Keras mask.
    """
    video = keras.Input((num_frames, size, size, 3), dtype="float32", name=name)
    box = (frames_per_patch, patch, patch)
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(video))
    x = layers.Conv3D(width, box, box)(x)  # (batch, times, rows, columns, width)
    times, boxes = x.shape[1], x.shape[1] * x.shape[2] * x.shape[3]
    valid = nonzero_steps(video)[:, : times * frames_per_patch : frames_per_patch]
    valid = ops.repeat(valid, boxes // times, axis=1)  # (batch, boxes)
    x = Positions()(layers.Reshape((boxes, width))(x))  # (batch, boxes, width)
    x = AttachMask()([x, valid])
    x = _blocks(x, num_blocks, num_heads, dropout, pool)
    return keras.Model([video], x, name=tower_name(name))


def audio_tower(
    frames,
    num_mel_bins,
    *,
    patch=16,
    channels=1,
    width=128,
    num_heads=4,
    num_blocks=2,
    dropout=0.0,
    pool=True,
    name="audio",
):
    """Builds the tower of a sound: squares of a spectrogram, time after time.

    Args:
        frames: Number of frames of the spectrogram.
        num_mel_bins: Number of mel bands.
        patch: Frames and bands of a square.
        channels: Number of equal channels.
        width: As for `text_tower`, and all that follow.
        num_heads: The same.
        num_blocks: The same.
        dropout: The same.
        pool: The same.
        name: The same.

    Returns:
        A functional `keras.Model` from `(batch, frames, num_mel_bins)` float32 to
        `(batch, width)`, or `(batch, squares, width)`.
    """
    audio = keras.Input((frames, num_mel_bins), name=name)
    x = ops.repeat(ops.expand_dims(audio, -1), channels, axis=-1)
    x = layers.Conv2D(width, patch, patch)(x)  # (batch, times, bands, width)
    x = Positions()(layers.Reshape((-1, width))(x))  # (batch, squares, width)
    x = _blocks(x, num_blocks, num_heads, dropout, pool)
    return keras.Model([audio], x, name=tower_name(name))


def _block(num_heads, dropout):
    """A block with the activation and the epsilon that Flax has by default."""
    return AttentionBlock(
        num_heads, dropout=dropout, activation="gelu_tanh", epsilon=EPSILON
    )


def _blocks(x, num_blocks, num_heads, dropout, pool):
    """The blocks of one modality, with the padding left out."""
    valid = ValidMask()(x)  # (batch, n)
    for _ in range(num_blocks):
        x = _block(num_heads, dropout)(x, context_mask=valid)
    return MaskedMean()(x) if pool else AttachMask()([x, valid])


TOWERS: dict[str, Builder] = {
    "audio": audio_tower,
    "image": image_tower,
    "text": text_tower,
    "video": video_tower,
}


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)
    if len(inputs) < 2:
        raise ValueError(
            f"Expected two or more inputs. Received: inputs={list_inputs(inputs)}."
        )
    for spec in inputs:
        if spec.name in (towers or ()):
            continue
        patch = spec.sizes.get("patch", 16)
        sides = [spec.sizes.get(k, patch) for k in ("size", "frames", "num_mel_bins")]
        if None in spec.sizes.values() or min(sides) < patch:
            raise ValueError(
                f"Expected input {spec.name!r} ({spec.modality}) to have the same size "
                f"in every batch, and at least that of a patch, {patch}. Received: "
                f"sizes={dict(spec.sizes)}."
            )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    width: int = 128,
    num_heads: int = 4,
    num_unimodal_blocks: int = 2,
    num_fusion_blocks: int = 2,
    num_bottleneck_tokens: int = 4,
    dropout: float = 0.0,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "mbt",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input: texts, images, videos and sounds. `patch`
            among the sizes is the side of a patch, 16 by default.
        task: A task with one output per row.
        width: Width of a token.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        num_unimodal_blocks: Blocks of each modality by itself.
        num_fusion_blocks: Blocks of each modality with the bottleneck. The second
            block of a modality reads what the first blocks of the others wrote.
        num_bottleneck_tokens: Number of tokens of the bottleneck.
        dropout: Rate of dropout in the blocks.
        towers: Builder by input name, with the arguments of the library's towers,
            instead of patches and unimodal blocks.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`.
    """
    check_fit(inputs, task, towers)

    # === Inputs, and towers with the unimodal blocks ===
    sizes = dict(num_heads=num_heads, num_blocks=num_unimodal_blocks, dropout=dropout)
    tensors, t, present = encode_all(
        inputs,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults={key: functools.partial(x, **sizes) for key, x in TOWERS.items()},
    )  # (batch, n_i, width) each
    valid = valid_masks(t, present)  # (batch, n_i) each

    # === Fusion blocks ===
    b = LearnedTokens(num_bottleneck_tokens, width, name="bottleneck")(t[0])
    b_valid = ValidMask()(b)  # (batch, num_bottleneck_tokens)
    for _ in range(num_fusion_blocks):
        written = []
        for i, t_valid in enumerate(valid):
            x = layers.Concatenate(axis=1)([b, t[i]])
            mask = ops.concatenate([b_valid, t_valid], axis=1)
            x = _block(num_heads, dropout)(x, context_mask=mask)
            written.append(x[:, :num_bottleneck_tokens])
            t[i] = x[:, num_bottleneck_tokens:]  # (batch, n_i, width)
        b = present_mean(written, present)  # (batch, num_bottleneck_tokens, width)

    # === Head ===
    x = layers.Concatenate(axis=1)(t)  # (batch, all tokens, width)
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    x = AttachMask()([x, ops.concatenate(valid, axis=1)])
    x = MaskedMean()(x)  # (batch, width)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)
