"""Intents and slots: what a sentence asks for, and which of its words fill in what.

    x_t = [word embedding; max over the characters of convolutions]
    h   = a BiLSTM, or blocks of a transformer, over x_1 .. x_n
    s   = [attention pool of h; max of h; max of relu(W * x)]   the sentence
    g   = W' softmax(U s)                                       what the intent says
    intent from s, tags from a CRF over [h_t; g]

Source: Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-
CRF", https://arxiv.org/abs/1603.01354, for characters, LSTM and CRF; Goo et al. 2018,
"Slot-Gated Modeling", https://doi.org/10.18653/v1/N18-2118, for both at once; Qin et
al. 2019, "A Stack-Propagation Framework with Token-Level Intent Detection",
https://arxiv.org/abs/1909.02188, for the intent as an input of the tags. Deviations:
one intent per sentence, and not one per word; filters of several widths and words
replaced by the unknown one in training, as in no single of these papers; the sentence
is also the maximum over three words at a time, as in Kim 2014, "Convolutional Neural
Networks for Sentence Classification", https://arxiv.org/abs/1408.5882, from which an
intent of few words is seen.

Whether a sentence has an intent at all is decided by a score and a threshold that
`mbm_keras.training.fit_scope` finds after training, see `SentenceDecoder`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import SentenceDecoder
from mbm_keras.layers import Sinusoids
from mbm_keras.layers import WordMask
from mbm_keras.layers import WordVectors
from mbm_keras.preset import Preset
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks import Understanding

ENCODERS = ("lstm", "transformer")
_LITTLE = -1e4  # of half precision too

_INPUT = InputSpec(
    "sentence",
    "words",
    {"vocabulary_size": 20, "num_characters": 12, "word_length": 4},
)
_TAGS = tuple("abcdefgh")

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[_INPUT],
            task=Understanding(8, _TAGS, sequence_length=5, name="intent"),
            width=16,
            word_width=16,
            filters=4,
            word_dropout=0.0,
        )
    ),
    "tiny_transformer": Preset(
        dict(
            inputs=[_INPUT],
            task=Understanding(8, _TAGS, sequence_length=5, name="intent"),
            encoder="transformer",
            width=16,
            word_width=16,
            filters=4,
            word_dropout=0.0,
        )
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Raises for inputs or a task that the model cannot take.

    Raises:
        ValueError: If there is not exactly one input of words, or another task than
            `Understanding`.
    """
    modalities = [spec.modality for spec in inputs]
    if modalities != ["words"] or not isinstance(task, Understanding):
        raise ValueError(
            "Expected one input of words and a task of intents or tags. Received: "
            f"modalities={modalities}, task={type(task).__name__}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Understanding,
    encoder: str = "lstm",
    num_layers: int = 1,
    width: int = 256,
    word_width: int = 128,
    filters: int = 32,
    dropout: float = 0.4,
    word_dropout: float = 0.1,
    name: str = "intent_and_slots",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of the sentence, with `vocabulary_size`,
            `num_characters` and `word_length` in its sizes.
        task: An `Understanding`.
        encoder: `"lstm"` or `"transformer"`.
        num_layers: int > 0, layers of the encoder.
        width: int > 0, width of the encoder; even.
        word_width: int > 0, width of the embedding of a word.
        filters: int > 0, convolutions over characters of each of the widths 2, 3, 4.
        dropout: float in [0, 1), dropout rate of embeddings, states and sentence.
        word_dropout: float in [0, 1), share of the words that training replaces by the
            unknown word.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`. Inputs, by key:
            sentence: `(batch, words, 1 + word_length)` int32, ids of each word and of
                its characters, 0 = padding.
            intent_teacher: `(batch, n)` int32, the target, where there are tags; a
                model of `for_inference` does without.
        Outputs, by name:
            intent: `(batch, size)` float32, see `mbm_keras.sentence_answers`.

    Raises:
        ValueError: If the inputs or the task do not fit, or there is no such encoder.
    """
    check_fit(inputs, task)
    if encoder not in ENCODERS or width % 2:
        raise ValueError(
            f"Expected encoder in {ENCODERS} and an even width. Received: "
            f"encoder={encoder!r}, width={width}."
        )
    (spec,) = inputs

    # Input
    shape = (None, 1 + spec.sizes["word_length"])
    words = keras.Input(shape, dtype="int32", name=spec.key)
    mask = WordMask()(words)  # (batch, words)

    # Tower: embeddings (batch, words, word_width + 3 filters), states (.., width)
    embed = WordVectors(
        spec.sizes["vocabulary_size"],
        spec.sizes["num_characters"],
        word_width,
        filters,
        word_dropout,
    )
    tower = _tower(spec, embed, encoder, num_layers, width, dropout)
    x, states = tower(words)

    # Sentence
    parts: dict[str, Any] = {}
    if task.num_intents:
        sentence = SentencePool(width)([x, states, mask])  # (batch, 3 width)
        parts["sentence"] = sentence = layers.Dropout(dropout)(sentence)
    if task.tags:
        if task.num_intents:
            guess = layers.Dense(task.num_intents, "softmax")(sentence)
            guess = layers.Dense(width // 4, use_bias=False)(guess)
            states = WithSentence()([states, guess])  # (batch, words, width * 5 / 4)
        target = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
        parts |= {"states": states, "mask": mask, "target": target}

    # Head
    decoder = task.decoder(output_name(task.name, inputs))
    output = decoder(parts)  # (batch, size)
    given = [words, target] if task.tags else [words]
    return TaskModel(given, {task.name: output}, name=name)


def for_inference(model: keras.Model, task: Understanding) -> keras.Model:
    """The model that answers, which does without the target.

    Args:
        model: What `build` returned.
        task: The task it was built for.

    Returns:
        A functional `keras.Model` of the sentence alone, with the same output.
    """
    decoder = decoder_of(model)
    parts = {name: x for name, x in decoder.parts.items() if name != "target"}
    words = [x for x in model.inputs if x.name != teacher_name(task.name)]
    answers = {task.name: decoder(parts)}
    return keras.Model(words, answers, name=f"{model.name}_answers")


def decoder_of(model: keras.Model) -> SentenceDecoder:
    """The layer that gives the output of a model that `build` returned."""
    (decoder,) = (x for x in model.layers if isinstance(x, SentenceDecoder))
    return decoder


def _tower(spec, embed, encoder, num_layers, width, dropout):
    """From the ids of words to their embeddings and their states."""
    words = keras.Input((None, 1 + spec.sizes["word_length"]), dtype="int32")
    mask = WordMask()(words)
    x = layers.SpatialDropout1D(dropout)(embed(words))
    states = x
    if encoder == "transformer":
        states = Sinusoids()(layers.Dense(width)(states))
    for _ in range(num_layers):  # (batch, words, width)
        if encoder == "transformer":
            block = AttentionBlock(_heads(width), dropout=dropout / 2)
            states = block(states, context_mask=mask)
            continue
        rnn = layers.LSTM(width // 2, return_sequences=True)
        states = layers.Bidirectional(rnn)(states, mask=mask)
        states = layers.SpatialDropout1D(dropout)(states)
    return keras.Model([words], [x, states], name=tower_name(spec.key))


def _heads(width):
    return next(n for n in (8, 4, 2, 1) if width % (8 * n) == 0 or n == 1)


@keras.saving.register_keras_serializable(package="mbm_keras.models.intent_and_slots")
class SentencePool(layers.Layer):
    """A sentence as one vector.

        s = [sum_t a_t h_t; max_t h_t; max_t relu(sum_k W_k x_{t+k} + b)],
        a = softmax(v tanh(U h)),  k = -1, 0, 1

    Args:
        width: int, width of the last part.

    Call arguments:
        inputs: A list of x `(batch, steps, n)`, h `(batch, steps, m)`, and the mask of
            words `(batch, steps)` bool.

    Returns:
        `(batch, 2 m + width)`; zeros for a sentence without a word.
    """

    def __init__(self, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width
        self.supports_masking = True  # it takes its mask as an argument

    def compute_mask(self, inputs, mask=None):
        return None

    def build(self, shapes):
        policy = dict(dtype=self.dtype_policy)
        self.words = layers.Conv1D(self.width, 3, padding="same", **policy)
        self.words.build(shapes[0])
        self.key = layers.Dense(self.width, "tanh", **policy)
        self.key.build(shapes[1])
        self.score = layers.Dense(1, use_bias=False, **policy)
        self.score.build((*shapes[0][:2], self.width))

    def call(self, inputs):
        x, h, mask = inputs
        mask = mask[:, :, None]
        score = ops.cast(self.score(self.key(h)), "float32")
        score = ops.softmax(ops.where(mask, score, _LITTLE), axis=1)
        weights = ops.cast(ops.where(mask, score, 0.0), h.dtype)
        has_word = ops.cast(ops.any(mask, axis=1), h.dtype)  # (batch, 1)

        def most(y):
            return ops.max(ops.where(mask, y, _LITTLE), axis=1) * has_word

        x = ops.where(mask, x, ops.zeros_like(x))  # padding is not a word
        parts = [ops.sum(weights * h, axis=1), most(h), most(ops.relu(self.words(x)))]
        return ops.concatenate(parts, axis=1)

    def compute_output_shape(self, shapes):
        return (shapes[0][0], 2 * shapes[1][2] + self.width)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="mbm_keras.models.intent_and_slots")
class WithSentence(layers.Layer):
    """Appends a vector of the sentence to each of its words.

    Call arguments:
        inputs: A list of `(batch, steps, m)` and `(batch, n)`.

    Returns:
        `(batch, steps, m + n)`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs):
        states, sentence = inputs
        sentence = ops.repeat(sentence[:, None], ops.shape(states)[1], axis=1)
        return ops.concatenate([states, sentence], axis=2)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:2], shapes[0][2] + shapes[1][1])
