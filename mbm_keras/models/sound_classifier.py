"""Sound classifier: random crops to learn from, the mean of several to answer.

    sound --> crops --> <key>_tower --> dropout --> mean over the crops --> head

The tower is a CNN with a recurrent layer and attention over time (`audio_attention`,
the default); YAMNet (`mbm_keras.encoders.yamnet`) or a spectrogram transformer
(`mbm_keras.encoders.ast`) by `mbm_keras.towers.pretrained.builder`. Samples of a sound
are turned into a spectrogram in the model, so that training may mix them as sounds
(`data_pipelines.augment.mixup`).

Piczak 2015, "Environmental Sound Classification with Convolutional Neural Networks",
https://doi.org/10.1109/MLSP.2015.7324337, section 3: segments of a recording are
learned from, and their answers are averaged. Deviations: a random segment each time;
the mean of logits; mixup of sounds, Zhang et al. 2018, https://arxiv.org/abs/1710.09412.
"""

from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import LogMelOfSamples
from mbm_keras.layers import mean_of_crops
from mbm_keras.layers import split_crops
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers import audio_attention
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import check_one_length
from mbm_keras.towers.encode import list_inputs

_NUM_MEL_BINS = 64
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("sound", "audio", dict(frames=32, num_mel_bins=16))],
            task=Classification(3),
            width=8,
        )
    ),
    "crops": Preset(
        dict(
            inputs=[InputSpec("sound", "audio", dict(frames=64, num_mel_bins=16))],
            task=Classification(3),
            width=8,
            num_crops=3,
            share=0.5,
        )
    ),
    # Five seconds at 16 kHz, as in ESC.
    "clip": Preset(
        dict(
            inputs=[InputSpec("sound", "wave", dict(samples=80_000))],
            task=Classification(10),
            num_crops=3,
            share=0.5,
        )
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
    modalities = [spec.modality for spec in inputs]
    if modalities not in (["audio"], ["wave"]):
        raise ValueError(
            "Expected one sound (audio, or wave for its samples) and no other input. "
            f"Received: inputs={list_inputs(inputs)}."
        )
    (spec,) = inputs
    check_one_output(task)
    if spec.modality == "audio":
        check_inputs(inputs, towers, {"audio": audio_attention.build})
    check_one_length(inputs)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    num_crops: int = 1,
    share: float = 1.0,
    sample_rate: int = 16_000,
    width: int = 128,
    dropout: float = 0.3,
    name: str = "sound_classifier",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of one sound: its spectrogram, `"audio"`, or its
            samples, `"wave"`.
        task: A task with one output per row.
        towers: Builder by input name, instead of `audio_attention`.
        num_crops: Crops that are averaged in evaluation and in the export; training
            sees one at random.
        share: Length of a crop as a share of the sound, in (0, 1].
        sample_rate: Rate of samples in hertz; of a spectrogram it is not used.
        width: Size of the embedding.
        dropout: Rate of dropout before the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            sound: `(batch, frames, num_mel_bins)` float32, natural log of mel energy;
                of a `"wave"` `(batch, samples)` float32, full scale is 1.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            `num_crops` is below 1 or `share` is not in (0, 1].
    """
    check_fit(inputs, task, towers)
    (spec,) = inputs
    is_wave = spec.modality == "wave"

    # === Input, and crops ===
    shape: tuple[int, ...] = (spec.sizes["samples"],) if is_wave else ()
    if not is_wave:
        shape = spec.sizes["frames"], spec.sizes["num_mel_bins"]
    sound = keras.Input(shape, name=spec.key)
    # (batch * crops, steps, ...) and (batch, crops)
    (x,), _, valid = split_crops([sound], None, num_crops, share)
    if is_wave:
        x = LogMelOfSamples(sample_rate, _NUM_MEL_BINS)(x)

    # === Tower and head ===
    tower = (towers or {}).get(spec.name, audio_attention.build)(
        frames=x.shape[1],
        num_mel_bins=x.shape[2],
        width=width,
        pool=True,
        name=spec.key,
    )
    x = layers.Dropout(dropout)(tower(x))  # (batch * crops, width)
    x = mean_of_crops(x, valid)  # (batch, width)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel([sound], {task.name: x}, name=name)
