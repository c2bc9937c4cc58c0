"""FiLM: what is asked scales and shifts how a picture is seen.

Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer",
https://arxiv.org/abs/1709.07871. Deviations: any inputs may ask, and a sound may be
looked at; a picture goes through the zoo's tower, where the paper has the features of a
ResNet-101. The preset "clevr" takes those features, and has the published counts.

    all but one --> <name>_tower --> side by side --> gamma, beta of every block
    the one --> <name>_tower: a grid --> stem --> `blocks` residual blocks, each
        modulated --> 1x1 convolution, maximum, dense --> head
"""

import math

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import ZeroAbsent
from mbm_keras.tasks import classification
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode_all


def question_tower(vocabulary_size, *, width, word_width=200, pool=True, name="text"):
    """The paper's: a GRU, and what it knows after the last word.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        width: Size of the GRU.
        word_width: Size of an embedded word.
        pool: True for the last state, False for all of them.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, steps)` int32 to `(batch, width)` or
        `(batch, steps, width)`.
    """
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, word_width, mask_zero=True)(text)
    # To make 4,096 rows orthogonal, as Keras would, takes half a minute.
    even = "glorot_uniform"
    gru = layers.GRU(width, recurrent_initializer=even, return_sequences=not pool)
    x = gru(x)  # (batch, width), or with steps
    return keras.Model([text], x, name=tower_name(name))


def grid_tower(rows, columns, channels, *, width, pool=False, name="grid"):
    """Features that something else extracted, as they are.

    Args:
        rows: Height of the grid.
        columns: Width of the grid.
        channels: Numbers at each place.
        width: Not asked for: the grid keeps its channels.
        pool: True for the mean over the grid.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, rows, columns, channels)` float32 to
        the same, or `(batch, channels)` if `pool`.
    """
    grid = keras.Input((rows, columns, channels), name=name)
    x = layers.GlobalAveragePooling2D()(grid) if pool else layers.Identity()(grid)
    return keras.Model([grid], x, name=tower_name(name))


TOWERS = {**DEFAULTS, "grid": grid_tower, "text": question_tower}

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        seen="image",
        num_outputs=3,
        width=8,
        channels=4,
        blocks=1,
        units=(8, 8),
    ),
    # conv4 of a ResNet-101, and 28 answers.
    "clevr": dict(
        features=[
            InputSpec("question", "text", dict(vocabulary_size=93)),
            InputSpec("image", "grid", dict(rows=14, columns=14, channels=1_024)),
        ],
        seen="image",
        num_outputs=28,
        output="answer",
        width=4_096,
        channels=128,
        blocks=4,
        units=(512, 1_024),
        presence=False,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class WithCoordinates(keras.layers.Layer):
    """Two more channels: how far down and how far right, from -1 to 1.

    Input shape:
        `(batch, rows, columns, channels)`.

    Output shape:
        `(batch, rows, columns, channels + 2)`.
    """

    def call(self, grid):
        _, rows, columns, _ = grid.shape
        down, right = (ops.linspace(-1.0, 1.0, n) for n in (rows, columns))
        where = ops.stack(ops.meshgrid(down, right, indexing="ij"), axis=-1)
        where = ops.cast(ops.expand_dims(where, 0), grid.dtype)
        where = ops.repeat(where, ops.shape(grid)[0], axis=0)
        return ops.concatenate([grid, where], axis=-1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], shape[-1] + 2)


def build(
    *,
    features,
    seen,
    num_outputs,
    head=classification.head,
    output="label",
    width=128,
    channels=64,
    blocks=3,
    units=(128, 256),
    towers=None,
    presence=True,
    name="film",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what its tower needs to know.
        seen: Name of the input that is looked at; all others ask.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Size of what the towers give.
        channels: Channels of the blocks.
        blocks: Number of modulated blocks.
        units: Sizes of the convolution and of the dense layer before the head.
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
        ValueError: If a modality has no tower, `seen` is no input or the only one, or
            has as many places as there are in a batch.
    """
    names = [feature.name for feature in features]
    if seen not in names or len(names) < 2:
        raise ValueError(
            "`seen` names an input, and at least one other asks. "
            f"Received: seen={seen!r}, features={names}."
        )
    inputs, encoded, present = encode_all(
        features,
        width=width,
        pool={name: name != seen for name in names},
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )
    looked_at = names.index(seen)
    here = present[:, looked_at] if presence else None
    grid = _grid(encoded[looked_at], features[looked_at])
    asked = [
        ZeroAbsent()(x, present[:, i]) if presence else x
        for i, x in enumerate(encoded)
        if i != looked_at
    ]  # (batch, width) each

    asked = layers.Concatenate()(asked) if len(asked) > 1 else asked[0]
    film = layers.Dense(blocks * 2 * channels, name="film")(asked)
    film = layers.Reshape((blocks, 2, 1, 1, channels))(film)

    x = layers.Conv2D(channels, 3, padding="same")(WithCoordinates()(grid))
    x = layers.ReLU()(MaskedBatchNormalization()(x, mask=here))
    for block in range(blocks):  # (batch, rows, columns, channels)
        gamma, beta = film[:, block, 0], film[:, block, 1]
        x = layers.Conv2D(channels, 1, activation="relu")(WithCoordinates()(x))
        y = layers.Conv2D(channels, 3, padding="same")(x)
        y = MaskedBatchNormalization(center=False, scale=False)(y, mask=here)
        y = layers.ReLU()((1 + gamma) * y + beta)
        x = layers.Add()([x, y])

    wide, dense = units
    x = layers.Conv2D(wide, 1)(WithCoordinates()(x))
    x = layers.ReLU()(MaskedBatchNormalization()(x, mask=here))
    x = layers.GlobalMaxPooling2D()(x)  # (batch, wide)
    x = layers.Dense(dense)(x)
    x = layers.ReLU()(MaskedBatchNormalization()(x, mask=here))
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)


def _grid(x, feature):
    """A sequence as the grid it was: a square of regions, or moments in a column."""
    if len(x.shape) == 4:
        return x
    places, width = x.shape[1:]
    if places is None:
        raise ValueError(
            "What is looked at must have the same size in every batch. "
            f"Received: feature={feature}."
        )
    side = math.isqrt(places)
    square = feature.modality == "image" and side * side == places
    return layers.Reshape((side, side, width) if square else (places, 1, width))(x)
