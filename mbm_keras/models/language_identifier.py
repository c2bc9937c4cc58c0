"""Language identifier: x-vectors, a network over time and its statistics.

Snyder et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition",
https://doi.org/10.1109/ICASSP.2018.8461375, section 3 and table 1; for languages,
Snyder et al. 2018, "Spoken Language Recognition using X-vectors",
https://doi.org/10.21437/Odyssey.2018-15. Deviations: every recording is normalized by
its own mean and variance, in place of a sliding mean; frames at both ends see zeros,
and are kept; padding enters no statistics; logits, in place of a Gaussian classifier on
the embeddings.

    frames --> normalized --> five convolutions over time, with gaps
           --> mean and deviation of each channel over time
           --> dense --> dense --> head

A model that has heard one voice per language knows voices, and not languages: test it
on voices that training has not.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import NormalizeFrames
from mbm_keras.layers import mean_and_spread
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import check_one_spectrogram

# Frames that a layer reads, and the distance between them: t - 2 ... t + 2; t - 2, t,
# t + 2; t - 3, t, t + 3; and t twice.
_CONTEXT = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("voice", "audio", dict(frames=None, num_mel_bins=8))],
            task=Classification(3),
            filters=8,
            pooled_filters=12,
            units=8,
        )
    ),
    # Without the second dense layer and the head, which the paper does not count, the
    # weights are 4,200,448: its 4.2 million.
    "x_vector": Preset(
        dict(
            inputs=[InputSpec("voice", "audio", dict(frames=None, num_mel_bins=24))],
            task=Classification(14),
            filters=512,
            pooled_filters=1_500,
            units=512,
        ),
        parameters=4_467_164 + (512 + 1) * 14,
        source="https://doi.org/10.1109/ICASSP.2018.8461375, table 1",
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_one_spectrogram(inputs)
    check_one_output(task)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    filters: int = 128,
    pooled_filters: int = 256,
    units: int = 128,
    dropout: float = 0.2,
    name: str = "language_identifier",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of one sound, as `preprocessing.LogMel` makes it.
        task: A task with one output per row.
        filters: Channels of the first four layers over time.
        pooled_filters: Channels of the fifth, of which mean and deviation are taken.
        units: Size of each dense layer; the first is the embedding of a recording.
        dropout: Rate of dropout before the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            voice: `(batch, frames, num_mel_bins)` float32, natural log of mel energy;
                frames of zeros are padding, wherever `frames` is None and at the end.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            a size is below 1.
    """
    check_fit(inputs, task)
    if min(filters, pooled_filters, units) < 1:
        raise ValueError(
            f"Expected sizes >= 1. Received: filters={filters}, "
            f"pooled_filters={pooled_filters}, units={units}."
        )
    (spec,) = inputs

    # === Layers over time ===
    shape = (spec.sizes["frames"], spec.sizes["num_mel_bins"])
    frames = keras.Input(shape, dtype="float32", name=spec.key)
    mask = nonzero_steps(frames)  # (batch, frames)
    x = NormalizeFrames()(frames, mask)
    channels = [filters] * 4 + [pooled_filters]
    for number, (kernel, gap) in zip(channels, _CONTEXT, strict=True):
        # (batch, frames, number)
        x = layers.Conv1D(number, kernel, padding="same", dilation_rate=gap)(x)
        x = _normalize(layers.ReLU()(x), mask)
        x = zero_padding(x, mask)

    # === Statistics, and layers of a recording ===
    mean, deviation = mean_and_spread(x, mask)  # (batch, pooled_filters) each
    x = layers.Concatenate()([mean, deviation])
    heard = ops.any(mask, axis=1)  # (batch,)
    for _ in range(2):
        x = layers.Dense(units, activation="relu")(x)  # (batch, units)
        x = _normalize(x, heard)
    x = layers.Dropout(dropout)(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel([frames], {task.name: x}, name=name)


def _normalize(x, mask):
    """Batch normalization without weights, as in the authors' recipe."""
    return MaskedBatchNormalization(center=False, scale=False)(x, mask=mask)
