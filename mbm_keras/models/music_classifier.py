"""Music classifier: MusiCNN, filters as tall as timbre and as long as rhythm.

Pons and Serra 2019, "musicnn: Pre-trained convolutional neural networks for music audio
tagging", https://arxiv.org/abs/1909.06654; Pons et al. 2018, "End-to-end learning for
music audio tagging at scale", https://arxiv.org/abs/1711.02520, section 3.2 and figure
2. Deviations: a filter that is longer than the excerpt is not pruned, and an even one
has its extra frame after the middle, as `padding="same"` does it; rows that are absent
enter no statistics.

    frames --> tall filters, 0.4 and 0.7 of the bands: largest answer over the bands
           --> long filters, 128, 64 and 32 frames: largest answer over the bands
           --> three dense-in-time convolutions, of which two are residual
           --> all of these: largest and mean over time --> dense --> head

What an instrument is shows in the bands, and a rhythm in the frames, so both kinds of
music problems have filters of their shape.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_rows
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import check_one_spectrogram

_TALL = (0.4, 0.7)  # shares of the bands
_LONG = (128, 64, 32)  # frames
_FRAMES = 7  # of a tall filter, and of a convolution over time
_LEAST_BANDS = 3  # of which 0.4 is one
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("sound", "audio", dict(frames=16, num_mel_bins=8))],
            task=Classification(3),
            tall_filters=4,
            long_filters=2,
            filters=4,
            units=8,
        )
    ),
    # Three seconds of 16 kHz with a hop of 256 samples, and 50 tags of MagnaTagATune:
    # "the 787k parameters".
    "musicnn": Preset(
        dict(
            inputs=[InputSpec("sound", "audio", dict(frames=187, num_mel_bins=96))],
            task=MultiLabel(50),
            tall_filters=204,
            long_filters=51,
            filters=64,
            units=200,
        ),
        parameters=787_159,
        source="https://arxiv.org/abs/1909.06654",
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
    (spec,) = inputs
    if spec.sizes["frames"] is None or spec.sizes["num_mel_bins"] < _LEAST_BANDS:
        raise ValueError(
            f"Expected input {spec.name!r} to have the same length in every batch, and "
            f"{_LEAST_BANDS} bands or more. Received: sizes={dict(spec.sizes)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    tall_filters: int = 32,
    long_filters: int = 12,
    filters: int = 32,
    units: int = 64,
    dropout: float = 0.5,
    name: str = "music_classifier",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of one sound, as `preprocessing.LogMel` makes it.
        task: A task with one output per row.
        tall_filters: Number of filters of each height, for timbre.
        long_filters: Number of filters of each length, for rhythm.
        filters: Channels of each convolution over time.
        units: Size of the dense layer.
        dropout: Rate of dropout before the dense layer and before the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            sound: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            a size is below 1.
    """
    check_fit(inputs, task)
    sizes = (tall_filters, long_filters, filters, units)
    if min(sizes) < 1:
        raise ValueError(
            "Expected sizes >= 1. Received: tall_filters, long_filters, filters, "
            f"units={sizes}."
        )
    (spec,) = inputs
    frames, bands = spec.sizes["frames"], spec.sizes["num_mel_bins"]

    # === Filters of timbre, and of rhythm ===
    sound = keras.Input((frames, bands), dtype="float32", name=spec.key)
    present = nonzero_rows(sound)  # (batch,)
    x = layers.Reshape((frames, bands, 1))(sound)  # (batch, frames, bands, 1)
    x = MaskedBatchNormalization()(x, mask=present)
    padded = layers.ZeroPadding2D(((_FRAMES // 2, _FRAMES // 2), (0, 0)))(x)
    found = []
    for share in _TALL:
        shape = (_FRAMES, int(share * bands))
        y = layers.Conv2D(tall_filters, shape, activation="relu")(padded)
        found.append(_largest_band(y, present))  # (batch, frames, tall_filters)
    for length in _LONG:
        convolve = layers.Conv2D(
            long_filters, (length, 1), padding="same", activation="relu"
        )
        found.append(_largest_band(convolve(x), present))
    x = layers.Concatenate()(found)  # (batch, frames, channels)

    # === Convolutions over time ===
    features = [x]
    for i in range(3):
        y = layers.Conv1D(filters, _FRAMES, padding="same", activation="relu")(x)
        y = MaskedBatchNormalization()(y, mask=present)  # (batch, frames, filters)
        x = y if i == 0 else layers.Add()([x, y])
        features.append(x)
    x = layers.Concatenate()(features)  # (batch, frames, features)

    # === Largest and mean over time, dense layer, head ===
    x = layers.Concatenate()([ops.max(x, axis=1), ops.mean(x, axis=1)])
    x = MaskedBatchNormalization()(x, mask=present)  # (batch, 2 * features)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(units, activation="relu")(x)  # (batch, units)
    x = layers.Dropout(dropout)(MaskedBatchNormalization()(x, mask=present))
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel([sound], {task.name: x}, name=name)


def _largest_band(x, present):
    """The largest answer over the bands, `(batch, frames, channels)`."""
    return ops.max(MaskedBatchNormalization()(x, mask=present), axis=2)
