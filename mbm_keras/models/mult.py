"""MulT: a transformer for every direction between two modalities.

Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language Sequences",
https://arxiv.org/abs/1906.00295. Deviations: any inputs, with the zoo's towers where
the paper maps features of others; the state of the last step that is no padding, for
the last of a sequence that was cut to length; the positions are those of "Attention Is
All You Need", the paper's code has sines and cosines in two halves. The presets "mosi"
and "mosei" take those features, and have the counts of the authors' code.

    input i --> <name>_tower --> tokens t_i + positions
    t_i, t_j --> `depth` blocks from j to i -------------------.  for every j != i
    what i was told, side by side --> `memory` blocks --> last step --.
    all last steps, side by side --> dense, dense, + --> head
"""

import functools

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import Sinusoids
from mbm_keras.layers import ZeroAbsent
from mbm_keras.tasks import classification
from mbm_keras.tasks import regression
from mbm_keras.towers import sequence_linear
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import valid_masks

TOWERS = {
    **DEFAULTS,
    "sequence": functools.partial(sequence_linear.build, use_bias=False),
    "text": text_rnn.build,
}

PUBLISHED = dict(
    width=30,
    num_heads=5,
    depth=5,
    memory=5,
    num_outputs=1,
    head=regression.head,
    output="sentiment",
    presence=False,
)
PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        num_outputs=3,
        width=8,
        num_heads=2,
        depth=1,
        memory=1,
    ),
    # Words, sound and face, unaligned: a sentiment between -3 and 3.
    "mosi": dict(
        features=[
            InputSpec("text", "sequence", dict(size=300)),
            InputSpec("audio", "sequence", dict(size=5)),
            InputSpec("video", "sequence", dict(size=20)),
        ],
        **PUBLISHED,
    ),
    "mosei": dict(
        features=[
            InputSpec("text", "sequence", dict(size=300)),
            InputSpec("audio", "sequence", dict(size=74)),
            InputSpec("video", "sequence", dict(size=35)),
        ],
        **PUBLISHED,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class LastStep(keras.layers.Layer):
    """The last step that counts.

    Call arguments:
        sequence: `(batch, steps, width)`.
        counts: `(batch, steps)` bool.

    Returns:
        `(batch, width)`; the first step where none counts.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequence, counts):
        steps = ops.arange(ops.shape(counts)[1], dtype="int32")
        last = ops.max(ops.where(counts, steps, 0), axis=1)  # (batch,)
        last = ops.reshape(last, (-1, 1, 1))
        return ops.take_along_axis(sequence, last, axis=1)[:, 0]

    def compute_mask(self, sequence, mask=None):
        return None  # time is gone, and its mask with it

    def compute_output_shape(self, sequence_shape, counts_shape=None):
        return (sequence_shape[0], sequence_shape[2])


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    width=32,
    num_heads=4,
    depth=4,
    memory=3,
    dropout=0.1,
    towers=None,
    presence=True,
    name="mult",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what its tower needs to know.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Width of a token.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        depth: Blocks of each direction.
        memory: Blocks over what a modality was told.
        dropout: Rate of dropout in blocks and before the head.
        towers: Builder by input name, where the default of its modality will not do.
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
        ValueError: If a modality has no tower, or `width` is no multiple of
            `num_heads`.
    """
    inputs, tokens, present = encode_all(
        features,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, places, width) each
    counts = valid_masks(tokens, present)  # (batch, places) each
    for i, x in enumerate(tokens):
        x = Sinusoids()(layers.Rescaling(width**0.5)(x))
        tokens[i] = layers.Dropout(dropout)(x)

    def block():
        return AttentionBlock(num_heads, dropout=dropout, activation="relu")

    last = []
    for i, target in enumerate(tokens):
        told = []
        for j in [j for j in range(len(tokens)) if j != i] or [i]:
            x = target
            for _ in range(depth):
                x = block()(x, tokens[j], counts[j])
            told.append(layers.LayerNormalization()(x))
        # (batch, places, width * (n - 1))
        x = layers.Concatenate()(told) if len(told) > 1 else told[0]
        for _ in range(memory):
            x = block()(x, context_mask=counts[i])
        x = LastStep()(layers.LayerNormalization()(x), counts[i])
        last.append(x if present is None else ZeroAbsent()(x, present[:, i]))

    x = layers.Concatenate()(last) if len(last) > 1 else last[0]
    y = layers.Dense(x.shape[-1], activation="relu")(x)
    y = layers.Dropout(dropout)(y)
    x = layers.Add()([x, layers.Dense(x.shape[-1])(y)])  # (batch, n * (n - 1) * width)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)
