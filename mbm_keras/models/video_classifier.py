"""Video classifier: a clip, and its sound if there is one, in several short crops.

    clip, sound --> crops at the same moments --> <key>_tower each --> fusion --> head
    the answer for a video is the mean of the answers for its crops

A tower reads the clip: frames by a CNN and a GRU (`video_cnn`, the default), R(2+1)D
(`video_r2plus1d`), or one frame as a control (`video_frame`); `points_gru` reads the
point clouds of a radar. Sight and sound meet step by step (`in_step`, the default), as
in Owens and Efros 2018, "Audio-Visual Scene Analysis with Self-Supervised Multisensory
Features", https://arxiv.org/abs/1804.03641; by tokens that both exchange, as in Nagrani
et al. 2021, "Attention Bottlenecks for Multimodal Fusion",
https://arxiv.org/abs/2107.00135: the fusion `bottleneck`; or late: `concatenation`.

Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
https://arxiv.org/abs/1711.11248, section 4.1: one random crop of a video is learned
from, and crops at even distances are averaged in a test. Deviations: any tower, sound,
rows in which one of both is absent.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.fusion import InStepFusion
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import zero_absent_name
from mbm_keras.layers import ZeroAbsent
from mbm_keras.layers import crop_length
from mbm_keras.layers import mean_of_crops
from mbm_keras.layers import split_crops
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import builder_for
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import check_one_length
from mbm_keras.towers.encode import list_inputs
from mbm_keras.towers.encode import steps_of
from mbm_keras.towers.encode import with_steps

CLIPS = ("video", "point_frames")  # modalities with frames
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("clip", "video", dict(num_frames=4, size=16)),
                InputSpec("sound", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Classification(3),
            width=8,
        )
    ),
    "crops": Preset(
        dict(
            inputs=[
                InputSpec("clip", "video", dict(num_frames=16, size=16)),
                InputSpec("sound", "audio", dict(frames=64, num_mel_bins=8)),
            ],
            task=Classification(3),
            width=8,
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
    found = [spec.modality for spec in inputs]
    clips = sum(modality in CLIPS for modality in found)
    if clips != 1 or found.count("audio") != len(found) - 1 or len(found) > 2:
        raise ValueError(
            "Expected one clip (video or point_frames), and at most one sound (audio). "
            f"Received: inputs={list_inputs(inputs)}."
        )
    check_inputs(inputs, towers)
    check_one_output(task)
    check_one_length(inputs)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    fusion: keras.layers.Layer | None = None,
    num_crops: int = 1,
    share: float = 1.0,
    width: int = 128,
    dropout: float = 0.1,
    presence: bool = True,
    name: str = "video_classifier",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of a clip, and of its sound if it has one. Both cover
            the same seconds.
        task: A task with one output per row.
        towers: Builder by input name, instead of the default of the modality:
            `{"clip": video_r2plus1d.build}`.
        fusion: A fusion layer; None for `InStepFusion`, for one input concatenation.
        num_crops: Crops that are averaged in evaluation and in the export; training
            sees one at random.
        share: Length of a crop as a share of the clip, in (0, 1].
        width: Size of the embeddings.
        dropout: Rate of dropout before the head.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            clip: `(batch, num_frames, size, size, 3)` in [0, 255] or [0, 1]; frames of
                zeros, after the end of a clip, are padding.
            sound: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`. A crop in which a clip is padding has no clip.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            `num_crops` is below 1 or `share` is not in (0, 1].
    """
    check_fit(inputs, task, towers)
    default = InStepFusion if len(inputs) > 1 else ConcatenationFusion
    fusion = fusion or default(width)
    pool = not fusion.takes_sequences

    # === Towers of a crop ===
    built = [
        builder_for(spec, towers)(
            **with_steps(spec, crop_length(steps_of(spec), share)),
            width=width,
            pool=pool,
            name=spec.key,
        )
        for spec in inputs
    ]

    # === Inputs, and crops at the same moments ===
    tensors = [
        keras.Input((steps_of(spec), *tower.inputs[0].shape[2:]), name=spec.key)
        for spec, tower in zip(inputs, built, strict=True)
    ]
    present: Any = None
    if presence:
        present = keras.Input((len(inputs),), dtype="bool", name=PRESENT)
    # (batch * crops, steps_i, ...), (batch * crops, n) and (batch, crops)
    crops, kept, valid = split_crops(tensors, present, num_crops, share)

    # === Towers, fusion and head ===
    encoded = []
    for i, (spec, tower, x) in enumerate(zip(inputs, built, crops, strict=True)):
        if kept is not None:
            x = ZeroAbsent(name=zero_absent_name(spec.key))(x, kept[:, i])
        encoded.append(tower(x))  # (batch * crops, width) or (batch * crops, n, width)
    x = fusion(encoded, present=kept)  # (batch * crops, fusion units)
    x = layers.Dropout(dropout)(x)
    x = mean_of_crops(x, valid)  # (batch, fusion units)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    tensors = [*tensors, present] if presence else tensors
    return TaskModel(tensors, {task.name: x}, name=name)
