"""Deeper LSTM Q + norm I: the states of an LSTM times the features of an image.

Antol et al. 2015, "VQA: Visual Question Answering", https://arxiv.org/abs/1505.00468,
section 4, and the authors' code, https://github.com/GT-Vision-Lab/VQA_LSTM_CNN.
Deviations: an image may have the tower of this library, the paper has 4,096 numbers of
a pretrained VGG, here a `vector`; PyTorch's and Lua's LSTM have a second bias, which
adds nothing; any inputs next to the question, an absent one is a factor of 1.

    question --> <key>_tower: words --> LSTM --> LSTM     --> dense, tanh --.
                              (cell and output of each, at the last word)   * --> head
    image    --> <key>_tower --> scaled to length 1       --> dense, tanh --'
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import ProductFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import tower_name
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

_VOCABULARY = 10_000  # words; the paper does not say how many it has
_VQA = dict(
    inputs=[
        InputSpec("question", "text", dict(vocabulary_size=_VOCABULARY)),
        InputSpec("image", "vector", dict(size=4_096)),
    ],
    task=Classification(1_000),
    presence=False,
)
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
            ],
            task=Classification(3),
            word_width=8,
            rnn_units=4,
            width=8,
            hidden_units=(8,),
        )
    ),
    "paper": Preset(
        dict(_VQA),
        parameters=13_084_728 + 300 * _VOCABULARY,
        source="https://arxiv.org/abs/1505.00468",
    ),
    "code": Preset(
        dict(_VQA, word_width=200, hidden_units=()),
        parameters=10_877_928 + 200 * _VOCABULARY,
        source="https://github.com/GT-Vision-Lab/VQA_LSTM_CNN",
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
    check_inputs(inputs, towers, _towers(word_width=1, num_layers=1, dropout=0.0))
    check_one_output(task)
    if len(inputs) < 2 or not any(spec.modality == "text" for spec in inputs):
        raise ValueError(
            "Expected a question, which is a text, and something that it is about. "
            f"Received: inputs={list_inputs(inputs)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    word_width: int = 300,
    rnn_units: int = 512,
    num_layers: int = 2,
    width: int = 1_024,
    hidden_units: Sequence[int] = (1_000, 1_000),
    dropout: float = 0.5,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "vqa_baseline",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input: a question and what it is about, such as an
            image.
        task: A task with one output per row.
        word_width: Width of a word embedding.
        rnn_units: Units of each LSTM of a question.
        num_layers: Number of LSTMs, one on the other.
        width: Width of the embeddings that are multiplied, and of an image's tower.
        hidden_units: Sizes of the layers between the product and the head.
        dropout: Rate of dropout before every dense layer, of the words, and between the
            LSTMs.
        towers: Builder by input name, instead of the default of the modality.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`.
    """
    check_fit(inputs, task, towers)

    # === Inputs and towers ===
    question = 2 * num_layers * rnn_units
    tensors, embedded, present = encode_all(
        inputs,
        width={s.name: question if s.modality == "text" else width for s in inputs},
        pool=True,
        presence=presence,
        towers=towers,
        defaults=_towers(word_width, num_layers, dropout),
    )  # (batch, width_i) each
    embedded = [
        x if spec.modality == "text" else layers.UnitNormalization()(x)
        for spec, x in zip(inputs, embedded, strict=True)
    ]

    # === Product and head ===
    embedded = [layers.Dropout(dropout)(x) for x in embedded]
    x = ProductFusion(width, name="fusion")(embedded, present=present)  # (batch, width)
    for units in hidden_units:
        x = layers.Dropout(dropout)(x)
        x = layers.Dense(units, activation="tanh")(x)  # (batch, units)
    x = layers.Dropout(dropout)(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def _towers(word_width, num_layers, dropout):
    """The default builders; a vector of features goes in as it is."""
    question = functools.partial(
        _build_question, word_width=word_width, num_layers=num_layers, dropout=dropout
    )
    return {**DEFAULTS, "text": question, "vector": _build_features}


def _build_question(
    vocabulary_size, *, word_width, num_layers, dropout, width, pool, name
):
    """From words to the states of all LSTMs, `(batch, width)`, as in the code."""
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, word_width, mask_zero=True)(text)
    x = layers.Dropout(dropout)(x)
    x = layers.Activation("tanh")(x)  # (batch, steps, word_width)
    states = []
    for i in range(num_layers):
        x = layers.Dropout(dropout)(x) if i else x
        lstm = layers.LSTM(
            width // (2 * num_layers), return_sequences=True, return_state=True
        )
        x, output, cell = lstm(x)
        states += [cell, output]  # (batch, rnn units) each
    return keras.Model([text], ops.concatenate(states, axis=-1), name=tower_name(name))


def _build_features(size, *, width, pool, name):
    vector = keras.Input((size,), name=name)
    return keras.Model([vector], layers.Identity()(vector), name=tower_name(name))
