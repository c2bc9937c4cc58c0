"""Searches, against the enumeration of all sequences."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.generation import BeamSearch
from mbm_keras.generation import Decoder
from mbm_keras.generation import GreedySearch
from mbm_keras.generation import Sampling
from mbm_keras.generation import Search
from mbm_keras.generation import SequenceGenerator
from mbm_keras.generation import inverse_cdf
from mbm_keras.generation import truncate_logits
from tests.helpers import numpy

SIZE, LENGTH, END = 5, 4, 2  # ids: padding, unknown, end, and two words
LIMITS = dict(max_length=LENGTH, end=END, exclude=(0, 1))


class Chain(keras.layers.Layer):
    """Logits that depend on the row, the last token, and the number of tokens."""

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, rows_shape):
        table = np.random.default_rng(self.seed).normal(0, 2, (3, LENGTH, SIZE, SIZE))
        self.table = self.add_weight(
            table.shape,
            lambda shape, dtype: ops.convert_to_tensor(table, dtype),
            name="table",
        )

    def begin(self, rows):
        return {"seen": ops.zeros_like(rows)}, (rows,)

    def step(self, token, state, context):
        t = ops.minimum(state["seen"][:, 0], LENGTH - 1)
        table = ops.reshape(self.table, (-1, SIZE))
        index = (context[0][:, 0] * LENGTH + t) * SIZE + token
        return ops.take(table, index, axis=0), {"seen": state["seen"] + 1}


def chain(seed=0):
    layer, rows = Chain(seed), np.arange(3, dtype="int32")[:, None]
    layer.build(rows.shape)
    return layer, rows


def sequences():
    """Every sequence of the words 3 and 4 that ends, or reaches the limit."""
    for n in range(LENGTH + 1):
        for words in itertools.product((3, 4), repeat=n):
            if n < LENGTH:
                yield (*words, END, *[0] * (LENGTH - n - 1))
            else:
                yield words


def score(layer, row, sequence, length_penalty=0.0):
    table, total, last = numpy(layer.table)[row].astype("float64"), 0.0, 0
    for t, token in enumerate(sequence):
        logits = table[t, last]
        total += logits[token] - np.log(np.exp(logits).sum())
        last = token
        if token == END:
            break
    return total / ((5 + t + 1) / 6) ** length_penalty


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wide_enough_beam_finds_what_enumeration_finds(seed, length_penalty):
    layer, rows = chain(seed)
    search = BeamSearch(31, length_penalty)
    tokens, scores = search.candidates(layer.step, *layer.begin(rows), **LIMITS)
    for row in range(3):
        ranked = sorted(
            sequences(), key=lambda s: -score(layer, row, s, length_penalty)
        )
        assert numpy(tokens)[row, :10].tolist() == [list(s) for s in ranked[:10]]
        right = [score(layer, row, s, length_penalty) for s in ranked[:10]]
        np.testing.assert_allclose(numpy(scores)[row, :10], right, atol=1e-4)


def test_beam_search_returns_the_best_candidate():
    layer, rows = chain()
    best = BeamSearch(3)(layer.step, *layer.begin(rows), **LIMITS)
    tokens, _ = BeamSearch(3).candidates(layer.step, *layer.begin(rows), **LIMITS)
    assert numpy(best).tolist() == numpy(tokens)[:, 0].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_greedy_search_takes_the_most_probable_token(seed):
    layer, rows = chain(seed)
    tokens = numpy(GreedySearch()(layer.step, *layer.begin(rows), **LIMITS))
    table = numpy(layer.table)
    for row, sequence in enumerate(tokens):
        last = 0
        for t, token in enumerate(sequence):
            assert token == 2 + np.argmax(table[row, t, last, 2:])
            if token == END:
                assert not sequence[t + 1 :].any()
                break
            last = token


def greedy_tokens(layer, rows):
    return numpy(GreedySearch()(layer.step, *layer.begin(rows), **LIMITS)).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_equals_greedy_search(seed):
    layer, rows = chain(seed)
    tokens = BeamSearch(1)(layer.step, *layer.begin(rows), **LIMITS)
    assert numpy(tokens).tolist() == greedy_tokens(layer, rows)


@pytest.mark.parametrize(
    "arguments", [dict(top_k=1), dict(top_p=1e-6), dict(temperature=0.01)]
)
def test_sampling_the_most_probable_token_equals_greedy_search(arguments):
    layer, rows = chain()
    search = Sampling(**arguments)
    tokens = search(layer.step, *layer.begin(rows), seed=1, **LIMITS)
    assert numpy(tokens).tolist() == greedy_tokens(layer, rows)


def test_samples_have_the_probabilities_of_the_model():
    layer, _ = chain()
    rows = np.zeros((20_000, 1), "int32")
    tokens = Sampling()(layer.step, *layer.begin(rows), seed=0, **LIMITS)
    first = np.bincount(numpy(tokens)[:, 0], minlength=SIZE) / len(rows)
    p = np.exp(numpy(layer.table)[0, 0, 0, 2:])
    np.testing.assert_allclose(first[2:], p / p.sum(), atol=0.02)
    assert first[:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "remaining"),
    [
        (dict(top_k=2), [True, True, False, False]),
        (dict(top_k=9), [True] * 4),
        (dict(top_p=0.5), [True, False, False, False]),
        (dict(top_p=0.6), [True, True, False, False]),
        (dict(top_p=1.0), [True] * 4),
    ],
)
def test_only_the_most_probable_tokens_remain(arguments, remaining):
    p = np.array([[0.5, 0.25, 0.15, 0.1]])
    logits = truncate_logits(ops.convert_to_tensor(np.log(p), "float32"), **arguments)
    assert (numpy(logits) > -1e8)[0].tolist() == remaining


def test_inverse_cdf_maps_each_index_to_its_share():
    p = np.array([[0.5, 0.25, 0.25]] * 5, "float32")
    uniform = np.array([0.0, 0.49, 0.51, 0.76, 0.9999999], "float32")
    assert numpy(inverse_cdf(p, uniform)).tolist() == [0, 0, 1, 2, 2]


def test_searches_and_decoders_fulfil_their_protocols():
    for search in (GreedySearch(), BeamSearch(), Sampling()):
        assert isinstance(search, Search)
    assert isinstance(Chain(), Decoder)


@pytest.mark.parametrize("search", [None, BeamSearch(3, 0.6), Sampling(0.7, top_k=2)])
def test_a_generator_is_compiled_saved_and_loaded(search, tmp_path):
    layer, rows = chain()
    inputs = keras.Input((1,), dtype="int32")
    generator = SequenceGenerator(layer, LENGTH, search, end=END, seed=3)
    model = keras.Model(inputs, generator(inputs))
    assert model.output.shape == (None, LENGTH)
    tokens = model.predict(rows, verbose=0)
    assert tokens.shape == (3, LENGTH) and tokens.dtype == "int32"
    assert set(tokens.ravel().tolist()) <= {0, 2, 3, 4}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(
        tmp_path / "model.keras", custom_objects={"Chain": Chain}
    )
    assert loaded.layers[-1].search == generator.search
    if not isinstance(search, Sampling):
        assert (loaded.predict(rows, verbose=0) == tokens).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BeamSearch(0), "Expected num_beams >= 1. Received: num_beams=0"),
        (lambda: Sampling(temperature=-1.0), "Expected temperature > 0.*-1.0"),
        (lambda: Sampling(top_k=0), "top_k >= 1 or None.*top_k=0"),
        (lambda: Sampling(top_p=1.5), "0 < top_p <= 1 or None.*top_p=1.5"),
        (lambda: SequenceGenerator(Chain(), 0), "Expected max_length >= 1"),
    ],
)
def test_a_number_out_of_range_is_an_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()
