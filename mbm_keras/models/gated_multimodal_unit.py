"""Gated Multimodal Unit: embeddings of several inputs, weighted by gates.

Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion",
https://arxiv.org/abs/1702.01992. Deviations: the paper fuses text and image, this file
takes audio too, and several inputs of each; the gates are a softmax, see `GatedFusion`;
the towers are small and trained with the rest, those of the paper are a pretrained
word2vec and a pretrained VGG; one dense layer for its maxout classifier.

    text  --> text_tower  --.
    image --> image_tower --+--> GatedFusion --> dropout --> head
    audio --> audio_tower --'
"""

import functools
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.fusion import GatedFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import image_cnn
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs

TOWERS: dict[str, Builder] = {
    "audio": audio_cnn.build,
    "image": image_cnn.build,
    "text": text_rnn.build,
}

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
            filters=(4, 8),
        )
    ),
    "base": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20_000)),
                InputSpec("image", "image", dict(size=128)),
                InputSpec("audio", "audio", dict(frames=400, num_mel_bins=64)),
            ],
            task=Classification(10),
            width=256,
            filters=(32, 64, 128, 256),
        )
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
    check_inputs(inputs, defaults=TOWERS)
    check_one_output(task)
    if len(inputs) < 2:
        raise ValueError(
            f"Expected two or more inputs. Received: inputs={list_inputs(inputs)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    width: int = 256,
    filters: Sequence[int] = (32, 64, 128),
    dropout: float = 0.3,
    presence: bool = True,
    name: str = "gated_multimodal_unit",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input: texts, images and sounds.
        task: A task with one output per row.
        width: Width of the embeddings.
        filters: Channels of the convolutions of the towers of images and sounds.
        dropout: Rate of dropout on the fused embedding.
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
    check_fit(inputs, task)

    # === Inputs and towers ===
    convolutions: dict[str, Builder] = {
        modality: functools.partial(TOWERS[modality], filters=filters)
        for modality in ("audio", "image")
    }
    tensors, embedded, present = encode_all(
        inputs,
        width=width,
        pool=True,
        presence=presence,
        defaults={**TOWERS, **convolutions},
    )  # (batch, width) each

    # === Fusion and head ===
    x = GatedFusion(width, name="fusion")(embedded, present=present)  # (batch, width)
    x = layers.Dropout(dropout)(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)
