"""Low-rank Multimodal Fusion: the tensor fusion network without its tensor.

Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors",
https://arxiv.org/abs/1806.00064. Deviations: any inputs, with the towers of this
library where the paper has sub-networks over precomputed features. The presets "mosi"
and "tfn_features" have those sub-networks.

    input 1 --> <key>_tower --> embedding --.
    input 2 --> <key>_tower --> embedding --+--> LowRankFusion = output
    ...                                     |
    present --------------------------------'
"""

from collections.abc import Mapping
from collections.abc import Sequence

import keras

from mbm_keras.fusion import LowRankFusion
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

TOWERS: dict[str, Builder] = {**DEFAULTS, "text": text_rnn.build}

CODE = "https://github.com/Justin1904/Low-rank-Multimodal-Fusion"
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
            widths=8,
        )
    ),
    # Features of CMU-MOSI: a sentiment between -3 and 3.
    "mosi": Preset(
        dict(
            inputs=[
                InputSpec("audio", "vector", dict(size=5)),
                InputSpec("video", "vector", dict(size=20)),
                InputSpec("text", "sequence", dict(size=300)),
            ],
            task=Regression("sentiment"),
            widths={"audio": 4, "video": 16, "text": 64},
            presence=False,
        ),
        parameters=229_763 - SECOND_BIAS,
        source=CODE,
    ),
    # With the features of the tensor fusion network.
    "tfn_features": Preset(
        dict(
            inputs=[
                InputSpec("audio", "vector", dict(size=74)),
                InputSpec("video", "vector", dict(size=47)),
                InputSpec("text", "sequence", dict(size=300)),
            ],
            task=Regression("sentiment"),
            widths={"audio": 32, "video": 32, "text": 64},
            presence=False,
        ),
        parameters=237_347 - SECOND_BIAS,
        source=CODE,
    ),
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


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    widths: int | Mapping[str, int] = 32,
    rank: int = 4,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "low_rank_fusion",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        widths: Width of an embedding, or of each by input name.
        rank: Number of products; 1 to 16 in the paper.
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
    check_fit(inputs, task, towers)

    # === Inputs and towers ===
    tensors, embedded, present = encode_all(
        inputs,
        width=widths,
        pool=True,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, width) each

    # === Fusion, which gives the output itself ===
    fusion = LowRankFusion(task.size, rank, dtype="float32", name="fusion")
    x = fusion(embedded, present=present)  # (batch, task.size)
    x = task.output(x, output_name(task.name, inputs))
    return TaskModel(tensors, {task.name: x}, name=name)
