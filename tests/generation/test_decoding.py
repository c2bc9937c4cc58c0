"""Greedy, beams and chance, against the enumeration of all sentences."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.generation import decoding
from tests.helpers import numpy

SIZE, LENGTH, END = 5, 4, 2  # ids: padding, unknown, end, and two words


class Chain(keras.layers.Layer):
    """Logits that depend on the row, the word before, and how many came before it."""

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

    def step(self, word, state, fixed):
        t = ops.minimum(state["seen"][:, 0], LENGTH - 1)
        table = ops.reshape(self.table, (-1, SIZE))
        place = (fixed[0][:, 0] * LENGTH + t) * SIZE + word
        return ops.take(table, place, axis=0), {"seen": state["seen"] + 1}


def chain(seed=0):
    layer, rows = Chain(seed), np.arange(3, dtype="int32")[:, None]
    layer.build(rows.shape)
    return layer, rows


def sentences():
    """Every sentence of the words 3 and 4 that ends, or is full."""
    for n in range(LENGTH + 1):
        for words in itertools.product((3, 4), repeat=n):
            if n < LENGTH:
                yield (*words, END, *[0] * (LENGTH - n - 1))
            else:
                yield words


def score(layer, row, sentence, length_penalty=0.0):
    table, total, last = numpy(layer.table)[row].astype("float64"), 0.0, 0
    for t, word in enumerate(sentence):
        logits = table[t, last]
        total += logits[word] - np.log(np.exp(logits).sum())
        last = word
        if word == END:
            break
    return total / ((5 + t + 1) / 6) ** length_penalty


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wide_enough_beam_finds_what_enumeration_finds(seed, length_penalty):
    layer, rows = chain(seed)
    words, scores = decoding.beam_search(
        layer.step,
        *layer.begin(rows),
        length=LENGTH,
        end=END,
        never=(0, 1),
        beams=31,
        length_penalty=length_penalty,
    )
    for row in range(3):
        ranked = sorted(
            sentences(), key=lambda s: -score(layer, row, s, length_penalty)
        )
        assert numpy(words)[row, :10].tolist() == [list(s) for s in ranked[:10]]
        right = [score(layer, row, s, length_penalty) for s in ranked[:10]]
        np.testing.assert_allclose(numpy(scores)[row, :10], right, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_is_greedy_and_greedy_takes_the_likeliest(seed):
    layer, rows = chain(seed)
    common = dict(length=LENGTH, end=END, never=(0, 1))
    words = numpy(decoding.greedy(layer.step, *layer.begin(rows), **common))
    beam, _ = decoding.beam_search(layer.step, *layer.begin(rows), beams=1, **common)
    assert words.tolist() == numpy(beam)[:, 0].tolist()
    table = numpy(layer.table)
    for row, sentence in enumerate(words):
        last = 0
        for t, word in enumerate(sentence):
            assert word == 2 + np.argmax(table[row, t, last, 2:])
            if word == END:
                assert not sentence[t + 1 :].any()
                break
            last = word


def test_samples_have_their_probabilities():
    layer, _ = chain()
    rows = np.zeros((20_000, 1), "int32")
    words = decoding.sample(
        layer.step, *layer.begin(rows), length=LENGTH, end=END, never=(0, 1), seed=0
    )
    first = np.bincount(numpy(words)[:, 0], minlength=SIZE) / len(rows)
    p = np.exp(numpy(layer.table)[0, 0, 0, 2:])
    np.testing.assert_allclose(first[2:], p / p.sum(), atol=0.02)
    assert first[:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    "how", [dict(top_k=1), dict(top_p=1e-6), dict(temperature=0.01)]
)
def test_samples_of_the_likeliest_are_greedy(how):
    layer, rows = chain()
    common = dict(length=LENGTH, end=END, never=(0, 1))
    words = decoding.sample(layer.step, *layer.begin(rows), seed=1, **common, **how)
    greedy = decoding.greedy(layer.step, *layer.begin(rows), **common)
    assert numpy(words).tolist() == numpy(greedy).tolist()


def test_the_likely_words_are_kept():
    p = np.array([[0.5, 0.25, 0.15, 0.1]])
    logits = ops.convert_to_tensor(np.log(p), "float32")

    def kept(top_k=None, top_p=None):
        return (numpy(decoding._likely(logits, top_k, top_p)) > -1e8)[0].tolist()

    assert kept(top_k=2) == [True, True, False, False]
    assert kept(top_k=9) == [True] * 4
    assert kept(top_p=0.5) == [True, False, False, False]
    assert kept(top_p=0.6) == [True, True, False, False]
    assert kept(top_p=1.0) == [True] * 4


@pytest.mark.parametrize(
    "how", [dict(), dict(beams=3, length_penalty=0.6), dict(temperature=1.0, seed=3)]
)
def test_a_writer_is_compiled_saved_and_loaded(how, tmp_path):
    layer, rows = chain()
    given = keras.Input((1,), dtype="int32")
    writer = decoding.SequenceGenerator(layer, LENGTH, end=END, **how)
    model = keras.Model(given, writer(given))
    words = model.predict(rows, verbose=0)
    assert words.shape == (3, LENGTH) and words.dtype == "int32"
    assert set(words.ravel().tolist()) <= {0, 2, 3, 4}
    assert (model.predict(rows[:1], verbose=0) > 0).any()
    model.save(tmp_path / "writer.keras")
    again = keras.saving.load_model(
        tmp_path / "writer.keras", custom_objects={"Chain": Chain}
    )
    if "temperature" not in how:
        assert (again.predict(rows, verbose=0) == words).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(beams=0), "at least one beam"),
        (dict(length=0), "at least one word"),
        (dict(beams=2, temperature=1.0), "not both"),
        (dict(temperature=-1.0), "`temperature` is above 0"),
        (dict(temperature=1.0, top_k=0), "`top_k` at least 1"),
        (dict(temperature=1.0, top_p=1.5), "`top_p` is in"),
    ],
)
def test_says_what_is_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        decoding.SequenceGenerator(Chain(), **{"length": 4, **wrong})
