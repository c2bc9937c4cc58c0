"""Tensor Fusion Network: every product of every unit of every modality.

Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis",
https://arxiv.org/abs/1707.07250. Deviations: any inputs, with the towers of this
library where the paper has sub-networks over precomputed features; the output is not
bounded. The preset "mosi" has those sub-networks.

    input 1 --> <key>_tower --> embedding --.
    input 2 --> <key>_tower --> embedding --+--> outer product --> 2 dense --> head
    ...                                     |
    present --------------------------------'
"""

import math
from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.fusion import TensorFusion
from mbm_keras.fusion.shapes import MAX_WEIGHTS
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs

TOWERS: dict[str, Builder] = {**DEFAULTS, "text": text_rnn.build}

SECOND_BIAS = 4 * 128  # PyTorch's LSTM has another bias, which adds nothing
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Classification(3),
            widths=4,
            units=8,
        )
    ),
    # Covarep, Facet and GloVe features of CMU-MOSI: a sentiment between -3 and 3.
    "mosi": Preset(
        dict(
            inputs=[
                InputSpec("audio", "vector", dict(size=74)),
                InputSpec("video", "vector", dict(size=47)),
                InputSpec("text", "sequence", dict(size=300)),
            ],
            task=Regression("sentiment"),
            widths={"audio": 32, "video": 32, "text": 128},
            units=128,
            presence=False,
        ),
        parameters=18_243_411 - SECOND_BIAS,
        source="https://github.com/Justin1904/TensorFusionNetworks",
    ),
}


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    widths: int | Mapping[str, int] = 32,
    units: int = 128,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.
        widths: As for `build`.
        units: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)
    each = [widths if isinstance(widths, int) else widths[x.name] for x in inputs]
    weights = math.prod(width + 1 for width in each) * units
    if weights > MAX_WEIGHTS:
        raise ValueError(
            f"Expected an outer product with at most {MAX_WEIGHTS:,} weights: fewer "
            f"inputs, or smaller widths. Received: inputs={list_inputs(inputs)}, "
            f"widths={each}, units={units}, which are {weights:,} weights."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    widths: int | Mapping[str, int] = 32,
    towers: Mapping[str, Builder] | None = None,
    units: int = 128,
    dropout: float = 0.2,
    presence: bool = True,
    name: str = "tensor_fusion_network",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        widths: Width of an embedding, or of each by input name. The outer product has
            as many numbers as the product of all widths, each plus one.
        towers: Builder by input name, instead of the default of the modality.
        units: Size of the two layers after the product.
        dropout: Rate of dropout between them.
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
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            the product is too large.
    """
    check_fit(inputs, task, towers, widths, units)

    # === Inputs and towers ===
    tensors, embedded, present = encode_all(
        inputs,
        width=widths,
        pool=True,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, width) each

    # === Fusion and head ===
    x = TensorFusion(units, inner=None, name="fusion")(embedded, present=present)
    x = layers.Dropout(dropout)(x)  # (batch, units)
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)
