"""Sentences out of a model that gives the next word: greedy, by beams, by chance.

All of them take a function `step(word, state, fixed) -> (logits, state)` with

    word    `(rows,)` int32, the word written last; 0 before the first
    state   what goes on from word to word: tensors, rows first, in any structure
    fixed   what stays, such as the regions of a picture: the same
    logits  `(rows, vocabulary_size)` of the next word

They are loops of the backend: compiled with the model, over all rows at once, and over
as soon as every sentence is. Nothing is computed a second time for words that stand.
Words are ids above 0, `end` closes a sentence, and what follows it is 0.
"""

import keras
from keras import ops
from keras import tree

NEVER = -1e9  # as a log probability


def greedy(step, state, fixed, *, length, end, never=(0,)):
    """The likeliest word, again and again.

    Args:
        step: See the top of the file.
        state: What `step` begins with.
        fixed: What it looks at.
        length: The most words of a sentence, its end among them.
        end: Id of the end.
        never: Ids that are not to be written, such as padding and unknown words.

    Returns:
        `(rows, length)` int32.
    """

    def choose(log_p, t):
        return ops.argmax(log_p, axis=-1)

    return _written(step, state, fixed, choose, length, end, never)


def sample(
    step,
    state,
    fixed,
    *,
    length,
    end,
    never=(0,),
    temperature=1.0,
    top_k=None,
    top_p=None,
    seed=None,
):
    """Words drawn by chance.

    Source of `top_p`: Holtzman et al. 2020, "The Curious Case of Neural Text
    Degeneration", https://arxiv.org/abs/1904.09751, section 3.1.

    Args:
        step: As for `greedy`.
        state: As for `greedy`.
        fixed: As for `greedy`.
        length: As for `greedy`.
        end: As for `greedy`.
        never: As for `greedy`.
        temperature: What logits are divided by: below 1 for the likelier words.
        top_k: Draws from that many likeliest words alone.
        top_p: Draws from the fewest words alone that have this probability together.
        seed: An int, or a `keras.random.SeedGenerator`.

    Returns:
        `(rows, length)` int32.

    Raises:
        ValueError: If `temperature` is not above 0, `top_k` is below 1, or `top_p` is
            not in (0, 1].
    """
    check_sampling(temperature, top_k, top_p)
    rows = ops.shape(tree.flatten(state)[0])[0]
    # All numbers are drawn first: a loop is no place for the state of a generator.
    drawn = keras.random.uniform((rows, length), seed=seed)

    def choose(log_p, t):
        p = ops.softmax(_likely(log_p / temperature, top_k, top_p), axis=-1)
        return chosen(p, ops.take(drawn, t, axis=1))

    return _written(step, state, fixed, choose, length, end, never)


def beam_search(
    step, state, fixed, *, length, end, never=(0,), beams=5, length_penalty=0.0
):
    """The likeliest sentences that a search with so many beams finds.

        score = log p(sentence) / ((5 + words) / 6) ** length_penalty

    Source: Wu et al. 2016, "Google's Neural Machine Translation System",
    https://arxiv.org/abs/1609.08144, section 7, equation 14. Deviation: no coverage
    penalty; a finished sentence keeps its beam while its score is good enough.

    Args:
        step: As for `greedy`.
        state: As for `greedy`.
        fixed: As for `greedy`.
        length: As for `greedy`.
        end: As for `greedy`.
        never: As for `greedy`.
        beams: Sentences that are followed at once.
        length_penalty: 0 for the bare probability; more favours long sentences.

    Returns:
        `(rows, beams, length)` int32, best first; and `(rows, beams)` float32 scores.

    Raises:
        ValueError: If `beams` is below 1.
    """
    check_beams(beams)
    rows = ops.shape(tree.flatten(state)[0])[0]
    state, fixed = tree.map_structure(
        lambda x: ops.repeat(x, beams, axis=0), (state, fixed)
    )
    first = ops.reshape(ops.arange(rows) * beams, (-1, 1))  # row of the first beam
    # All beams begin alike: but one of them counts.
    total = ops.where(ops.arange(beams) == 0, 0.0, NEVER)
    total = ops.repeat(ops.cast(total, "float32")[None], rows, axis=0)
    words = ops.zeros((rows, beams, length), "int32")
    number = ops.zeros((rows, beams), "float32")
    ended = ops.zeros((rows, beams), "bool")

    flat = tree.flatten(state)  # `while_loop` takes one level

    def going(t, words, number, ended, score, total, *flat):
        return ops.logical_and(t < length, ops.logical_not(ops.all(ended)))

    def another(t, words, number, ended, score, total, *flat):
        last = ops.take(words, ops.maximum(t - 1, 0), axis=2)
        own = tree.pack_sequence_as(state, flat)
        logits, own = step(ops.reshape(last, (-1,)), own, fixed)
        size = logits.shape[-1]
        log_p = ops.reshape(_log_p(logits, never), (-1, beams, size))
        nothing = ops.where(ops.arange(size) == 0, 0.0, NEVER)
        log_p = ops.where(ended[:, :, None], nothing, log_p)
        new = total[:, :, None] + log_p  # (rows, beams, size)
        number = number + ops.cast(ops.logical_not(ended), "float32")
        penalty = ops.power((5.0 + number) / 6.0, length_penalty)
        ranked = ops.reshape(new / penalty[:, :, None], (-1, beams * size))
        score, place = ops.top_k(ranked, beams)  # (rows, beams)
        place = ops.cast(place, "int32")
        parent, word = place // size, place % size
        total = ops.take_along_axis(ops.reshape(new, (-1, beams * size)), place, axis=1)
        number = ops.take_along_axis(number, parent, axis=1)
        ended = ops.take_along_axis(ended, parent, axis=1)
        words = ops.take_along_axis(words, parent[:, :, None], axis=1)
        words = ops.where(ops.arange(length) == t, word[:, :, None], words)
        ended = ops.logical_or(ended, word == end)
        rows_of = ops.reshape(first + parent, (-1,))
        flat = [ops.take(x, rows_of, axis=0) for x in tree.flatten(own)]
        return t + 1, words, number, ended, score, total, *flat

    begun = (ops.convert_to_tensor(0, "int32"), words, number, ended, total, total)
    done = ops.while_loop(going, another, (*begun, *flat))
    return done[1], done[4]


@keras.saving.register_keras_serializable(package="mbm_keras")
class SequenceGenerator(keras.layers.Layer):
    """Writes sentences with a decoder, as a layer of a model that can be exported.

    Args:
        decoder: A layer with `begin(*context) -> (state, fixed)` and
            `step(word, state, fixed) -> (logits, state)`, see the top of the file; its
            `build` takes the shapes of the context.
        length: The most words of a sentence, its end among them.
        end: Id of the end.
        never: Ids that are not to be written.
        beams: More than 1 for a `beam_search`, whose best sentence is taken.
        length_penalty: As for `beam_search`.
        temperature: Above 0 to `sample`, else the likeliest words are taken.
        top_k: As for `sample`.
        top_p: As for `sample`.
        seed: Of the draws.

    Call arguments:
        *context: What the decoder begins with, rows first.

    Returns:
        `(rows, length)` int32, 0 behind the end.

    Raises:
        ValueError: If a number is out of its range, or if beams are to be sampled.
    """

    def __init__(
        self,
        decoder,
        length,
        end=2,
        never=(0, 1),
        beams=1,
        length_penalty=0.0,
        temperature=0.0,
        top_k=None,
        top_p=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_beams(beams)
        if temperature:
            check_sampling(temperature, top_k, top_p)
        if length < 1 or (temperature and beams > 1):
            raise ValueError(
                "A sentence has at least one word, and is sampled or found by beams, "
                f"not both. Received: length={length}, beams={beams}, "
                f"temperature={temperature}."
            )
        self.decoder = decoder
        self.length = length
        self.end = end
        self.never = tuple(never)
        self.beams = beams
        self.length_penalty = length_penalty
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def build(self, *shapes):
        if not self.decoder.built:  # it was loaded from disk
            self.decoder.build(*shapes)

    def call(self, *context):
        state, fixed = self.decoder.begin(*context)
        common = dict(length=self.length, end=self.end, never=self.never)
        if self.temperature:
            return sample(
                self.decoder.step,
                state,
                fixed,
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                seed=self.random,
                **common,
            )
        if self.beams == 1:
            return greedy(self.decoder.step, state, fixed, **common)
        words, _ = beam_search(
            self.decoder.step,
            state,
            fixed,
            beams=self.beams,
            length_penalty=self.length_penalty,
            **common,
        )
        return words[:, 0]

    def compute_output_spec(self, *context):
        return keras.KerasTensor((context[0].shape[0], self.length), "int32")

    def get_config(self):
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "length": self.length,
            "end": self.end,
            "never": self.never,
            "beams": self.beams,
            "length_penalty": self.length_penalty,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        decoder = keras.saving.deserialize_keras_object(config.pop("decoder"))
        return cls(decoder, **config)


def check_sampling(temperature, top_k, top_p):
    """Raises a `ValueError` for what is out of its range."""
    if temperature <= 0 or (top_k is not None and top_k < 1):
        raise ValueError(
            "`temperature` is above 0, `top_k` at least 1. "
            f"Received: temperature={temperature}, top_k={top_k}."
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"`top_p` is in (0, 1]. Received: top_p={top_p}.")


def check_beams(beams):
    """Raises a `ValueError` where there is none."""
    if beams < 1:
        raise ValueError(f"There is at least one beam. Received: beams={beams}.")


def _written(step, state, fixed, choose, length, end, never):
    """`(rows, length)` words, each chosen by `choose(log_p, t)`."""
    flat = tree.flatten(state)
    rows = ops.shape(flat[0])[0]
    words, ended = ops.zeros((rows, length), "int32"), ops.zeros((rows,), "bool")

    def going(t, words, ended, *flat):
        return ops.logical_and(t < length, ops.logical_not(ops.all(ended)))

    def another(t, words, ended, *flat):
        last = ops.take(words, ops.maximum(t - 1, 0), axis=1)
        own = tree.pack_sequence_as(state, flat)
        logits, own = step(last, own, fixed)
        word = ops.cast(choose(_log_p(logits, never), t), "int32")
        word = ops.where(ended, 0, word)
        words = ops.where(ops.arange(length) == t, word[:, None], words)
        ended = ops.logical_or(ended, word == end)
        return t + 1, words, ended, *tree.flatten(own)

    begun = (ops.convert_to_tensor(0, "int32"), words, ended, *flat)
    return ops.while_loop(going, another, begun)[1]


def chosen(p, drawn):
    """The place that a draw falls on.

    Args:
        p: `(rows, places)` probabilities.
        drawn: `(rows,)`, evenly in [0, 1).

    Returns:
        `(rows,)` integers.
    """
    upto = ops.cumsum(p, axis=-1)
    # Rounding must not leave the last one out: the sum is not quite 1.
    beyond = upto > drawn[:, None] * upto[:, -1:]
    return ops.argmax(ops.cast(beyond, "int32"), axis=-1)


def _log_p(logits, never):
    log_p = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    for word in never:
        log_p = ops.where(ops.arange(logits.shape[-1]) == word, NEVER, log_p)
    return log_p


def _likely(logits, top_k, top_p):
    """Logits of the words that may be drawn, very small ones for the others."""
    if top_k is not None:
        best, _ = ops.top_k(logits, min(top_k, logits.shape[-1]))
        logits = ops.where(logits < best[:, -1:], NEVER, logits)
    if top_p is not None:
        falling = ops.flip(ops.sort(logits, axis=-1), axis=-1)
        p = ops.softmax(falling, axis=-1)
        before = ops.cumsum(p, axis=-1) - p  # what the likelier ones have
        least = ops.min(ops.where(before < top_p, falling, -NEVER), axis=-1)
        logits = ops.where(logits < least[:, None], NEVER, logits)
    return logits
