"""A linear-chain CRF, against the enumeration of all sequences of tags."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mbm_keras import tag_scheme
from mbm_keras.layers import crf
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import on_jax

LENGTHS = np.array([5, 1, 3, 0, 4])
MASK = np.arange(5) < LENGTHS[:, None]


def scores(num_tags=3, seed=0, forbid=False):
    rng = np.random.default_rng(seed)
    emissions = rng.normal(0, 2, (5, 5, num_tags)).astype("float32")
    transitions = rng.normal(0, 1, (num_tags, num_tags)).astype("float32")
    start, end = rng.normal(0, 1, (2, num_tags)).astype("float32")
    if forbid:
        transitions[0, 2] = start[2] = crf.FORBIDDEN
    return emissions, transitions, start, end


@functools.cache
def enumerate_row(row, forbid):
    """Score by tags, of all sequences of tags of a row."""
    emissions, transitions, start, end = scores(forbid=forbid)
    found = {}
    for tags in itertools.product(range(3), repeat=int(LENGTHS[row])):
        score = 0.0
        if tags:
            score = float(start[tags[0]] + end[tags[-1]])
        score += sum(float(emissions[row, t, tag]) for t, tag in enumerate(tags))
        score += sum(float(transitions[a, b]) for a, b in itertools.pairwise(tags))
        found[tags] = score
    return found


def log_z(row, forbid):
    values = np.array(list(enumerate_row(row, forbid).values()))
    return np.log(np.sum(np.exp(values - values.max()))) + values.max()


both = pytest.mark.parametrize("forbid", [False, True])


@both
def test_the_partition_is_the_sum_over_all_tags(forbid):
    emissions, *others = scores(forbid=forbid)
    found = numpy(crf.log_partition(emissions, MASK, *others))
    assert_same(found, np.array([log_z(row, forbid) for row in range(5)]), atol=1e-4)


@both
def test_the_likelihood_of_all_tags_sums_to_one(forbid):
    emissions, *others = scores(forbid=forbid)
    for row, length in enumerate(LENGTHS):
        paths = np.zeros((3**length, 5), "int32")
        paths[:, :length] = list(itertools.product(range(3), repeat=int(length)))
        same = np.repeat(emissions[row : row + 1], len(paths), axis=0)
        mask = np.repeat(MASK[row : row + 1], len(paths), axis=0)
        found = numpy(crf.log_likelihood(same, paths, mask, *others))
        values = np.array(list(enumerate_row(row, forbid).values()))
        # Of a forbidden path float32 has three digits after the point.
        assert_same(found, values - log_z(row, forbid), atol=2e-3)
        assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-4)


@both
def test_viterbi_finds_the_best_tags(forbid):
    emissions, *others = scores(forbid=forbid)
    found = numpy(crf.viterbi(emissions, MASK, *others))
    for row, length in enumerate(LENGTHS):
        known = enumerate_row(row, forbid)
        assert tuple(found[row, :length]) == max(known, key=known.get)
        assert (found[row, length:] == 0).all()


@both
def test_marginals_are_sums_over_the_tags_of_the_other_words(forbid):
    emissions, *others = scores(forbid=forbid)
    tags = np.random.default_rng(1).integers(0, 3, (5, 5)).astype("int32")
    every, own, pairs = map(numpy, crf.marginals(emissions, tags, MASK, *others))
    right = np.zeros_like(every)
    right_pairs = np.zeros_like(pairs)
    for row in range(5):
        for path, score in enumerate_row(row, forbid).items():
            p = np.exp(score - log_z(row, forbid))
            for t, tag in enumerate(path):
                right[row, t, tag] += p
                if path[max(0, t - 1) : t + 1] == tuple(
                    tags[row, max(0, t - 1) : t + 1]
                ):
                    right_pairs[row, t] += p
    assert_same(every, right)
    assert_same(own, np.take_along_axis(right, tags[:, :, None], 2)[:, :, 0])
    assert_same(pairs, right_pairs)


def test_an_unknown_number_of_words_gives_the_same():
    emissions, *others = scores()
    tags = np.ones((5, 5), "int32")
    every = [
        lambda x: crf.viterbi(x, MASK, *others),
        lambda x: crf.marginals(x, tags, MASK, *others)[0],
        lambda x: crf.log_likelihood(x, tags, MASK, *others),
    ]
    spec = tf.TensorSpec((None, None, 3))
    for function in every:
        graph = tf.function(function, input_signature=[spec], autograph=False)
        assert_same(graph(emissions), function(emissions))


def test_padding_and_what_is_in_it_changes_nothing():
    emissions, *others = scores()
    other = np.where(MASK[:, :, None], emissions, 1e30).astype("float32")
    wide = np.pad(other, [(0, 0), (0, 3), (0, 0)], constant_values=7.0)
    mask = np.pad(MASK, [(0, 0), (0, 3)])
    assert_same(
        crf.log_partition(wide, mask, *others),
        crf.log_partition(emissions, MASK, *others),
    )
    found = numpy(crf.viterbi(wide, mask, *others))
    assert (found[:, :5] == numpy(crf.viterbi(emissions, MASK, *others))).all()


def test_the_gradient_of_the_partition_is_the_marginals():
    emissions, *others = scores()
    x = tf.Variable(emissions)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(crf.log_partition(x, MASK, *others))
    every, _, _ = crf.marginals(emissions, np.zeros((5, 5), "int32"), MASK, *others)
    assert_same(tape.gradient(total, x), every)


@both
def test_the_gradient_of_the_partition_counts_transitions_and_ends(forbid):
    emissions, *others = scores(forbid=forbid)
    right = [np.zeros_like(x) for x in others]
    for row in range(5):
        for path, score in enumerate_row(row, forbid).items():
            p = np.exp(score - log_z(row, forbid)) if path else 0.0
            for pair in itertools.pairwise(path):
                right[0][pair] += p
            right[1][path[:1]] += p
            right[2][path[-1:]] += p
    scores_of = [tf.constant(x) for x in others]
    with tf.GradientTape() as tape:
        tape.watch(scores_of)
        total = tf.reduce_sum(crf.log_partition(emissions, MASK, *scores_of))
    for found, counts in zip(tape.gradient(total, scores_of), right, strict=True):
        assert_same(found, counts)


def test_a_graph_is_as_large_for_few_words_as_for_many():
    def loss(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = crf.log_partition(x, tf.ones(x.shape[:2], "bool"), *scores()[1:])
        return tape.gradient(total, x)

    few, many = (
        tf.function(loss, autograph=False).get_concrete_function(
            tf.TensorSpec((2, words, 3))
        )
        for words in (2, 40)
    )
    assert len(many.graph.get_operations()) == len(few.graph.get_operations())


def test_half_precision_and_large_scores_are_finite():
    rng = np.random.default_rng(0)
    emissions = rng.normal(0, 300, (5, 5, 3)).astype("float16")
    _, *others = scores(forbid=True)
    tags = np.zeros((5, 5), "int32")
    x = tf.Variable(emissions)
    with tf.GradientTape() as tape:
        loss = -crf.log_likelihood(x, tags, MASK, *others)
    assert loss.dtype == tf.float32 and np.isfinite(loss).all()
    assert (loss.numpy() >= -1e-3).all()
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_xla_compiles_the_gradient_and_gives_the_same():
    emissions, *others = scores()
    tags = np.ones((5, 5), "int32")

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(-crf.log_likelihood(x, tags, MASK, *others))
        return loss, tape.gradient(loss, x), crf.viterbi(x, MASK, *others)

    compiled = tf.function(step, jit_compile=True, autograph=False)
    x = tf.constant(emissions)
    for mine, theirs in zip(compiled(x), step(x), strict=True):
        assert_same(mine, theirs, atol=1e-4)


@pytest.mark.slow
def test_jax_gives_the_same(tmp_path):
    emissions, *others = scores(forbid=True)
    tags = np.ones((5, 5), "int32")
    np.savez(
        tmp_path / "in.npz", e=emissions, m=MASK, a=others[0], s=others[1], n=others[2]
    )
    on_jax(
        """
import sys, jax, numpy as np
from mbm_keras.layers import crf
x = np.load(sys.argv[1] + "/in.npz")
others = x["a"], x["s"], x["n"]
tags = np.ones((5, 5), "int32")
loss = lambda e: -crf.log_likelihood(e, tags, x["m"], *others).sum()
value, gradient = jax.jit(jax.value_and_grad(loss))(x["e"])
score = lambda a: crf.log_partition(x["e"], x["m"], a, *others[1:]).sum()
moves = jax.grad(score)(x["a"])
path = crf.viterbi(x["e"], x["m"], *others)
np.savez(sys.argv[1] + "/out.npz", v=value, g=gradient, p=path, a=moves)
""",
        tmp_path,
    )
    there = np.load(tmp_path / "out.npz")
    loss = -ops.sum(crf.log_likelihood(emissions, tags, MASK, *others))
    assert_same(there["v"], loss, atol=1e-2)
    assert (there["p"] == numpy(crf.viterbi(emissions, MASK, *others))).all()
    moves = tf.constant(others[0])
    with tf.GradientTape() as tape:
        tape.watch(moves)
        total = ops.sum(crf.log_partition(emissions, MASK, moves, *others[1:]))
    assert_same(there["a"], tape.gradient(total, moves))
    assert np.isfinite(there["g"]).all() and keras.backend.backend() == "tensorflow"


BIO = ["O", "B-a", "I-a", "B-b", "I-b"]


def test_in_bio_an_entity_goes_on_with_its_own_label_alone():
    moves, start, end = tag_scheme.find_allowed(BIO)
    assert start.tolist() == [True, True, False, True, False]
    assert end.all()
    assert [BIO[i] for i in np.flatnonzero(moves[:, 2])] == ["B-a", "I-a"]
    assert moves[:, [0, 1, 3]].all()


def test_in_bioes_an_entity_ends_before_something_else():
    tags = [*BIO, "E-a", "S-a"]
    moves, start, end = tag_scheme.find_allowed(tags)
    assert [tags[i] for i in np.flatnonzero(moves[1])] == ["I-a", "E-a"]
    assert [tags[i] for i in np.flatnonzero(start)] == ["O", "B-a", "B-b", "S-a"]
    assert [tags[i] for i in np.flatnonzero(end)] == ["O", "E-a", "S-a"]


def test_other_tags_may_follow_each_other_freely():
    assert all(x.all() for x in tag_scheme.find_allowed(["NOUN", "VERB", "O"]))
    assert all(x.all() for x in tag_scheme.find_allowed(["O"]))
