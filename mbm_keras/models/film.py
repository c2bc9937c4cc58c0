"""FiLM: a question scales and shifts the features of an image.

Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer",
https://arxiv.org/abs/1709.07871. Deviations: any inputs may modulate, and a sound may
be modulated; an image has the tower of this library, where the paper has the features
of a ResNet-101. The preset "clevr" takes those features.

    all but one --> <key>_tower --> concatenated --> gamma, beta of every block
    the one --> <key>_tower: a grid --> stem --> residual blocks, each modulated
        --> 1x1 convolution, maximum, dense --> head

    y = (1 + gamma) y + beta        in every block, for every channel
"""

import math
from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import ZeroAbsent
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs


def question_tower(vocabulary_size, *, width, word_width=200, pool=True, name="text"):
    """The tower of the paper for questions: a GRU.

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
    # Keras's default, an orthogonal matrix, takes half a minute for 4,096 rows.
    initializer = "glorot_uniform"
    gru = layers.GRU(
        width, recurrent_initializer=initializer, return_sequences=not pool
    )
    x = gru(x)  # (batch, width) or (batch, steps, width)
    return keras.Model([text], x, name=tower_name(name))


def grid_tower(rows, columns, channels, *, width, pool=False, name="grid"):
    """A tower that gives precomputed features as they are.

    Args:
        rows: Height of the grid.
        columns: Width of the grid.
        channels: Numbers of each cell of the grid.
        width: Not used: the grid keeps its channels.
        pool: True for the mean over the grid.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, rows, columns, channels)` float32 to
        the same, or `(batch, channels)` if `pool`.
    """
    grid = keras.Input((rows, columns, channels), name=name)
    x = layers.GlobalAveragePooling2D()(grid) if pool else layers.Identity()(grid)
    return keras.Model([grid], x, name=tower_name(name))


EPSILON = 1e-5  # of the normalizations, as in PyTorch
TOWERS: dict[str, Builder] = {**DEFAULTS, "grid": grid_tower, "text": question_tower}

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Classification(3),
            width=8,
            channels=4,
            num_blocks=1,
            units=(8, 8),
        )
    ),
    # conv4 of a ResNet-101, and 28 answers.
    "clevr": Preset(
        dict(
            inputs=[
                InputSpec("question", "text", dict(vocabulary_size=93)),
                InputSpec("image", "grid", dict(rows=14, columns=14, channels=1_024)),
            ],
            task=Classification(28, "answer"),
            width=4_096,
            channels=128,
            num_blocks=4,
            units=(512, 1_024),
            presence=False,
        ),
        parameters=57_027_752 + 2_463_900,  # for gamma and beta; of the rest
        source="https://github.com/ethanjperez/film",
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.film")
class WithCoordinates(keras.layers.Layer):
    """Adds two channels: row and column of each cell, from -1 to 1.

    Input shape:
        `(batch, rows, columns, channels)`.

    Output shape:
        `(batch, rows, columns, channels + 2)`.
    """

    def call(self, grid):
        _, rows, columns, _ = grid.shape
        down, right = (ops.linspace(-1.0, 1.0, n) for n in (rows, columns))
        cells = ops.stack(ops.meshgrid(down, right, indexing="ij"), axis=-1)
        cells = ops.cast(ops.expand_dims(cells, 0), grid.dtype)
        cells = ops.repeat(cells, ops.shape(grid)[0], axis=0)
        return ops.concatenate([grid, cells], axis=-1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], shape[-1] + 2)


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    modulated: str | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.
        modulated: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)
    index = _find_modulated(inputs, modulated)
    if index is None or len(inputs) < 2:
        raise ValueError(
            "Expected an image, or another input named by `modulated`, and at least "
            f"one more input. Received: inputs={list_inputs(inputs)}, "
            f"modulated={modulated!r}."
        )
    if None in inputs[index].sizes.values():
        raise ValueError(
            "Expected an input of the same size in every batch to modulate. Received: "
            f"modulated={inputs[index].name!r}, sizes={dict(inputs[index].sizes)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    modulated: str | None = None,
    width: int = 128,
    channels: int = 64,
    num_blocks: int = 3,
    units: tuple[int, int] = (128, 256),
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "film",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        modulated: Name of the input whose features all others scale and shift; None
            for the first image.
        width: Size of the towers' outputs.
        channels: Channels of the blocks.
        num_blocks: Number of modulated blocks.
        units: Sizes of the convolution and of the dense layer before the head.
        towers: Builder by input name, instead of the default of the modality.
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
    check_fit(inputs, task, towers, modulated)

    # === Inputs and towers ===
    m = _find_modulated(inputs, modulated)
    tensors, encoded, present = encode_all(
        inputs,
        width=width,
        pool={spec.name: i != m for i, spec in enumerate(inputs)},
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, width) each, and one grid or sequence
    grid = _grid(encoded[m], inputs[m])  # (batch, rows, columns, tower channels)
    grid_present = present[:, m] if presence else None

    # === gamma and beta of every block ===
    conditions = [
        ZeroAbsent()(x, present[:, i]) if presence else x
        for i, x in enumerate(encoded)
        if i != m
    ]  # (batch, width) each
    x = layers.Concatenate()(conditions) if len(conditions) > 1 else conditions[0]
    film = layers.Dense(num_blocks * 2 * channels, name="film")(x)
    film = layers.Reshape((num_blocks, 2, 1, 1, channels))(film)

    # === Stem and modulated blocks ===
    x = layers.Conv2D(channels, 3, padding="same")(WithCoordinates()(grid))
    x = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(x, mask=grid_present))
    for block in range(num_blocks):  # (batch, rows, columns, channels)
        gamma, beta = film[:, block, 0], film[:, block, 1]  # (batch, 1, 1, channels)
        x = layers.Conv2D(channels, 1, activation="relu")(WithCoordinates()(x))
        y = layers.Conv2D(channels, 3, padding="same")(x)
        norm = MaskedBatchNormalization(epsilon=EPSILON, center=False, scale=False)
        y = norm(y, mask=grid_present)
        y = layers.ReLU()((1 + gamma) * y + beta)
        x = layers.Add()([x, y])

    # === Classifier ===
    convolution_units, dense_units = units
    x = layers.Conv2D(convolution_units, 1)(WithCoordinates()(x))
    x = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(x, mask=grid_present))
    x = layers.GlobalMaxPooling2D()(x)  # (batch, convolution units)
    x = layers.Dense(dense_units)(x)  # (batch, dense units)
    x = layers.ReLU()(MaskedBatchNormalization(epsilon=EPSILON)(x, mask=grid_present))
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def _find_modulated(inputs, modulated):
    """Index of the input whose features are modulated, None if there is none."""
    for i, spec in enumerate(inputs):
        is_image = spec.modality in ("image", "grid")
        if spec.name == modulated or (modulated is None and is_image):
            return i
    return None


def _grid(x, spec):
    """A sequence as a grid: a square of regions, or a column of time steps."""
    if len(x.shape) == 4:
        return x
    steps, width = x.shape[1:]
    if steps is None:
        raise ValueError(
            "Expected an input of the same size in every batch to modulate. Received: "
            f"modulated={spec.name!r}, shape={tuple(x.shape)}."
        )
    side = math.isqrt(steps)
    square = spec.modality == "image" and side * side == steps
    return layers.Reshape((side, side, width) if square else (steps, 1, width))(x)
