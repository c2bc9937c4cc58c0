"""Utterances in the context of their video: what is said before and after counts too.

    h^m_t = tanh(W_m BiLSTM_m(x^m_1 .. x^m_n)_t)          each modality by itself
    h_t   = tanh(W BiLSTM([h^1; h^2; ...]_1 .. n)_t)      all of them together
    y     from a CRF over h_1 .. h_n

A row is a video, and a step of its inputs an utterance: a vector of its words, of its
voice, of the face. The tags of the task are the labels of the utterances.

Source: Poria et al. 2017, "Context-Dependent Sentiment Analysis in User-Generated
Videos", https://doi.org/10.18653/v1/P17-1081, section 3.2, bc-LSTM with hierarchical
fusion. Deviations: all levels learn at once, where the paper trains the first and then
freezes it; a chain over the labels, see `mbm_keras.layers.crf`, where the paper has a
softmax for each; layers on the vectors of the modalities have dropout.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import nonzero_steps
from mbm_keras.models import intent_and_slots
from mbm_keras.preset import Preset
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks import Understanding

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "sequence", {"size": 12}),
                InputSpec("audio", "sequence", {"size": 10}),
            ],
            task=Understanding(
                tags=tuple("abcdefgh"), sequence_length=5, name="sentiment"
            ),
            width=16,
            fusion_width=16,
        )
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Raises for inputs or a task that the model cannot take.

    Raises:
        ValueError: If an input is not a sequence of vectors, or the task is not an
            `Understanding` of tags alone.
    """
    modalities = [spec.modality for spec in inputs]
    is_tagging = isinstance(task, Understanding) and not task.num_intents
    if set(modalities) != {"sequence"} or not is_tagging:
        raise ValueError(
            "Expected inputs that are sequences of vectors, and a task of tags. "
            f"Received: modalities={modalities}, task={type(task).__name__}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Understanding,
    width: int = 64,
    fusion_width: int = 64,
    dropout: float = 0.4,
    name: str = "contextual_lstm",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per modality, with `size`, the numbers of a vector.
        task: An `Understanding` with the labels as tags, and no intents.
        width: int > 0, width of each modality; even.
        fusion_width: int > 0, width of all together; even.
        dropout: float in [0, 1), dropout rate of vectors and states.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`. Inputs, by key, such as:
            text: `(batch, utterances, size)` float32; an utterance of zeros in every
                modality is padding.
            audio: `(batch, utterances, size)` float32.
            sentiment_teacher: `(batch, n)` int32, the target; a model of
                `for_inference` does without.
        Outputs, by name:
            sentiment: `(batch, size)` float32, see `mbm_keras.sentence_answers`.

    Raises:
        ValueError: If the inputs or the task do not fit, or a width is odd.
    """
    check_fit(inputs, task)
    if width % 2 or fusion_width % 2:
        raise ValueError(
            f"Expected even widths. Received: width={width}, "
            f"fusion_width={fusion_width}."
        )

    # Inputs
    given = [keras.Input((None, x.sizes["size"]), name=x.key) for x in inputs]
    mask = StepMask()(given)  # (batch, utterances)

    # Towers: (batch, utterances, width) each
    found = []
    for spec, x in zip(inputs, given, strict=True):
        tower = _context(spec.sizes["size"], width, dropout, tower_name(spec.key))
        found.append(tower([x, mask]))

    # Fusion
    x = layers.Concatenate()(found) if len(found) > 1 else found[0]
    fuse = _context(width * len(found), fusion_width, dropout, "fused")
    states = fuse([x, mask])  # (batch, utterances, fusion_width)

    # Head
    target = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
    decoder = task.decoder(output_name(task.name, inputs))
    output = decoder({"states": states, "mask": mask, "target": target})
    return TaskModel([*given, target], {task.name: output}, name=name)


def for_inference(model: keras.Model, task: Understanding) -> keras.Model:
    """The model that answers, which does without the target.

    Args:
        model: What `build` returned.
        task: The task it was built for.

    Returns:
        A functional `keras.Model` of the modalities alone, with the same output.
    """
    return intent_and_slots.for_inference(model, task)


def _context(size, width, dropout, name):
    """A BiLSTM and a dense layer over the utterances of a video."""
    x, mask = keras.Input((None, size)), keras.Input((None,), dtype="bool")
    y = layers.Dropout(dropout)(x)
    rnn = layers.LSTM(width // 2, return_sequences=True)
    y = layers.Dropout(dropout)(layers.Bidirectional(rnn)(y, mask=mask))
    y = layers.Dense(width, "tanh")(y)  # (batch, utterances, width)
    return keras.Model([x, mask], y, name=name)


@keras.saving.register_keras_serializable(package="mbm_keras.models.contextual_lstm")
class StepMask(layers.Layer):
    """Which steps have a number other than zero in one of several sequences.

    Call arguments:
        inputs: A list of `(batch, steps, n)`.

    Returns:
        `(batch, steps)` bool: those up to the last one.
    """

    def call(self, inputs):
        found = nonzero_steps(inputs[0])
        for x in inputs[1:]:
            found = ops.logical_or(found, nonzero_steps(x))
        # Steps before the last one count, whatever they hold.
        after = ops.flip(ops.cumsum(ops.flip(ops.cast(found, "int32"), 1), axis=1), 1)
        return after > 0

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape[:2], "bool")
