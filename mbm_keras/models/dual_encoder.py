"""Dual encoder: what belongs together is close, whatever its modality.

    input 1 --> <key>_tower --> <key>_projection --.
    input 2 --> <key>_tower --> <key>_projection --+--> embeddings of length 1
    ...                                            |
    present ---------------------------------------'

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision" (CLIP), https://arxiv.org/abs/2103.00020, figure 3; with more than two
inputs the loss is the mean over their pairs, as in Guzhov et al. 2021, "AudioCLIP",
https://arxiv.org/abs/2106.13043, section 3. Deviations: any towers; rows that lack an
input train the others; rows that share a value are not examples of what does not match.
"""

import functools
import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import embedding_name
from mbm_keras.inputs import output_name
from mbm_keras.inputs import projection_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import InChunks
from mbm_keras.layers import UnitEmbeddings
from mbm_keras.layers import zero_absent
from mbm_keras.layers.unit_embeddings import TakeEmbedding
from mbm_keras.preset import Preset
from mbm_keras.tasks import Association
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.towers import pretrained
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import builder_for
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs
from mbm_keras.weights import Folder
from mbm_keras.weights import open_folder
from mbm_keras.weights.load import arguments_of
from mbm_keras.weights.load import family_of
from mbm_keras.weights.pairs import read_pair

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Association(6),
            width=8,
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
    check_inputs(inputs, towers)
    if len(inputs) < 2 or not isinstance(task, Association):
        raise ValueError(
            "Expected two or more inputs and the task `Association`. Received: "
            f"inputs={list_inputs(inputs)}, task={task}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Association,
    towers: Mapping[str, Builder] | None = None,
    width: int | None = 128,
    presence: bool = True,
    chunks: int = 1,
    name: str = "dual_encoder",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: An `Association`.
        towers: Builder by input name, instead of the default of the modality.
        width: Size of what the towers return. None for towers that return embeddings of
            the width of the task, as those of a published pair do.
        presence: True for the input `present`, for rows in which an input is absent.
        chunks: In how many parts the towers see a batch in training, for batches that
            do not fit into memory at once, see `mbm_keras.layers.InChunks`.
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
            association: `(batch, n, task.size)` float32: for each input an embedding of
                length 1, zeros where it is absent, then the logarithm of the scale and
                the bias, see `mbm_keras.layers.UnitEmbeddings`. `encoder_of` embeds one
                input by itself.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`, or
            `chunks` is below 1.
    """
    check_fit(inputs, task, towers)
    if chunks < 1:
        raise ValueError(f"Expected chunks >= 1. Received: chunks={chunks}.")
    chosen = {spec.name: builder_for(spec, towers) for spec in inputs}
    if chunks > 1:
        chosen = {
            name: functools.partial(_build_in_chunks, chunks=chunks, build=build)
            for name, build in chosen.items()
        }

    # === Inputs and towers ===
    tensors, encoded, present = encode_all(
        inputs, width=width, pool=True, presence=presence, towers=chosen
    )  # (batch, width) each

    # === Embeddings ===
    if width is not None:
        encoded = [
            layers.Dense(task.width, use_bias=False, name=projection_name(spec.key))(x)
            for spec, x in zip(inputs, encoded, strict=True)
        ]  # (batch, task.width) each
    x = ops.stack(zero_absent(encoded, present), axis=1)  # (batch, n, task.width)
    x = task.output(x, output_name(task.name, inputs))  # (batch, n, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def encoder_of(model: keras.Model, task: Association, key: str) -> keras.Model:
    """The part of a dual encoder that embeds one input.

    Args:
        model: What `build` returned.
        task: The task it was built for.
        key: Key of the input.

    Returns:
        A functional `keras.Model`. Input: what the tower of the input takes, by its
        key. Output: `(batch, task.width)` float32 of length 1.

    Raises:
        ValueError: If the model has no such input.
    """
    keys = [tensor.name for tensor in model.inputs if tensor.name != PRESENT]
    if key not in keys:
        raise ValueError(f"Expected an input, one of {keys}. Received: key={key!r}.")
    outer = model.inputs[keys.index(key)]
    x = keras.Input(outer.shape[1:], dtype=outer.dtype, name=key)
    y = model.get_layer(tower_name(key))(x)
    if any(layer.name == projection_name(key) for layer in model.layers):
        y = model.get_layer(projection_name(key))(y)
    y = model.output[task.name]._keras_history.operation(ops.expand_dims(y, 1))
    return keras.Model(x, TakeEmbedding(0)(y), name=embedding_name(key))


def load(
    folder: str | os.PathLike | Folder,
    *,
    sizes: Mapping[str, Mapping[str, int]] | None = None,
    frozen: bool = False,
    name: str = "association",
) -> tuple[keras.Model, Association]:
    """Builds the model of a published pair of encoders: CLIP, SigLIP or CLAP.

    It needs no training: projections, scale and bias are those of the checkpoint.

    Args:
        folder: Folder of the checkpoint.
        sizes: By part, sizes of the input, such as `{"audio": {"frames": 1_001,
            "num_mel_bins": 64}}`, where they are not those of the checkpoint.
        frozen: bool. True to keep the encoders constant.
        name: Name of the task.

    Returns:
        The model, as `build` returns it, with the inputs `text` and `image` or `audio`
        as its towers take them, see `mbm_keras.towers.pretrained`; and its task.
        Deviation: of CLAP's two scales that of the sounds is used, for texts as well.

    Raises:
        ValueError: If the folder is not that of a pair, or cannot be loaded.
    """
    opened = folder if isinstance(folder, Folder) else open_folder(folder)
    pair = read_pair(opened)
    towers = {
        part: pretrained.builder(opened, part=part, frozen=frozen)
        for part in pair.parts
    }
    sizes = sizes or {}
    inputs = [InputSpec(part, part, dict(sizes.get(part, {}))) for part in pair.parts]
    text = arguments_of(opened, family_of(opened, pair.parts[0]))
    task = Association(text["projection_width"], name, pair.loss)
    model = build(inputs=inputs, task=task, towers=towers, width=None)
    set_scale(model, opened)
    return model, task


def set_scale(model: keras.Model, folder: str | os.PathLike | Folder) -> None:
    """Gives a model the scale and the bias of a published pair.

    Args:
        model: What `build` returned, with the halves of the pair as towers.
        folder: Folder of the checkpoint.

    Raises:
        ValueError: If it is not that of a pair.
    """
    pair = read_pair(folder if isinstance(folder, Folder) else open_folder(folder))
    (output,) = (x for x in model.layers if isinstance(x, UnitEmbeddings))
    output.log_scale.assign(pair.log_scales[pair.other])
    if output.offset is not None:
        output.offset.assign(pair.bias)


def _build_in_chunks(
    *, build: Builder, chunks: int, name: str, **sizes: Any
) -> keras.Model:
    """A tower with gradient caching, in a model of the tower's name."""
    tower = build(name=name, **sizes)
    (inner,) = tower.inputs
    x = keras.Input(inner.shape[1:], dtype=inner.dtype, name=name)
    y = InChunks(tower, chunks, name="in_chunks")(x)
    return keras.Model([x], y, name=tower_name(name))
