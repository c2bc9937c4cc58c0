"""Losses and recall within a batch, against worked examples."""

import math

import keras
import numpy as np
import pytest

from mbm_keras.layers import UnitEmbeddings
from mbm_keras.layers.contrastive import sigmoid_pairs
from mbm_keras.tasks import Association

N = 12
DIFFERENT = np.tile(np.arange(N)[:, None], (1, 2))
every_kind = pytest.mark.parametrize("kind", ["clip", "siglip"])


def packed(seed=0, inputs=2, scale=5.0, bias=-1.0):
    """Random embeddings of length 1 with a scale and a bias, `(N, inputs, 6)`."""
    x = np.random.default_rng(seed).normal(size=(N, inputs, 4))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    rest = np.broadcast_to([math.log(scale), bias], (N, inputs, 2))
    return np.concatenate([x, rest], axis=-1).astype("float32")


def logits_of(y, i=0, j=1):
    return np.exp(y[0, 0, -2]) * y[:, i, :4] @ y[:, j, :4].T + y[0, 0, -1]


def clip(logits):
    def softmax(axis):
        total = np.log(np.exp(logits).sum(axis, keepdims=True))
        return np.diag(logits - total).mean()

    return -(softmax(0) + softmax(1)) / 2


def siglip(logits):
    z = 2 * np.eye(len(logits)) - 1
    return np.log1p(np.exp(-z * logits)).sum() / len(logits)


RIGHT = {"clip": clip, "siglip": siglip}


def loss(kind, y, truth=DIFFERENT):
    return float(Association(4, kind=kind).loss()(truth, y))


@every_kind
def test_the_loss_is_that_of_its_paper(kind):
    y = packed()
    assert loss(kind, y) == pytest.approx(RIGHT[kind](logits_of(y)), rel=1e-5)


@every_kind
def test_the_loss_of_three_inputs_is_the_mean_of_their_pairs(kind):
    y = packed(inputs=3)
    pairs = [logits_of(y, i, j) for i, j in ((0, 1), (0, 2), (1, 2))]
    right = np.mean([RIGHT[kind](logits) for logits in pairs])
    truth = np.tile(np.arange(N)[:, None], (1, 3))
    assert loss(kind, y, truth) == pytest.approx(right, rel=1e-5)


@every_kind
def test_rows_that_lack_an_input_are_left_out(kind):
    y = packed()
    y[8:, 1, :4] = 0
    assert loss(kind, y) == pytest.approx(loss(kind, y[:8], DIFFERENT[:8]), rel=1e-5)


@every_kind
def test_rows_that_share_a_value_are_no_examples_of_what_does_not_match(kind):
    y, truth = packed(), DIFFERENT.copy()
    truth[1, 0] = truth[0, 0]  # two captions of one image
    logits = logits_of(y)
    logits[[0, 1], [1, 0]] = -1e3
    assert loss(kind, y, truth) == pytest.approx(RIGHT[kind](logits), rel=1e-5)


@every_kind
def test_a_number_below_0_is_equal_to_no_other(kind):
    y = packed()
    assert loss(kind, y, np.full((N, 2), -1)) == pytest.approx(loss(kind, y))


@every_kind
def test_a_batch_without_a_pair_has_no_loss(kind):
    y = packed()
    y[:, 1, :4] = 0
    assert loss(kind, y) == 0


def test_the_sigmoid_loss_is_the_sum_of_its_blocks():
    logits = logits_of(packed()).astype("float32")
    whole = float(sigmoid_pairs(logits)) * N
    z = 2 * np.eye(N) - 1
    blocks = [
        np.log1p(np.exp(-z[rows, columns] * logits[rows, columns])).sum()
        for rows in (slice(0, 5), slice(5, N))
        for columns in (slice(0, 7), slice(7, N))
    ]
    assert whole == pytest.approx(sum(blocks), rel=1e-5)


def recall(y, truth=DIFFERENT):
    (metric,) = Association(4).metrics()
    metric.update_state(truth, y)
    return float(metric.result())


def test_recall_is_the_share_of_rows_closest_to_their_own():
    y = packed()
    scores = logits_of(y)
    both = [scores.argmax(1) == np.arange(N), scores.argmax(0) == np.arange(N)]
    assert recall(y) == pytest.approx(np.mean(both))


def test_recall_of_equal_embeddings_is_0():
    y = packed()
    y[:] = y[0]
    assert recall(y) == 0


def test_recall_counts_every_row_that_shares_the_value():
    y, truth = packed(), DIFFERENT.copy()
    y[:, 1, :4] = y[:, 0, :4]
    y[[0, 1], 1] = y[[1, 0], 1]  # two captions of one image, exchanged
    assert recall(y) == pytest.approx(1 - 2 / N)
    truth[1, 0] = truth[0, 0]
    assert recall(y, truth) == 1


def test_recall_leaves_rows_out_that_lack_an_input():
    y = packed()
    y[:, 1, :4] = y[:, 0, :4]
    y[4:, 0, :4] = 0
    assert recall(y) == 1


def test_the_scale_stays_below_its_limit_after_a_step():
    layer = UnitEmbeddings(scale=99.0)
    x = keras.Input((2, 3))
    model = keras.Model(x, layer(x))
    # The loss falls with the scale: a step would take it far beyond.
    model.compile(keras.optimizers.SGD(10.0), lambda _, y: -y[..., -2])
    model.fit(np.ones((4, 2, 3)), np.zeros(4), verbose=0)
    assert float(np.exp(layer.log_scale)) == pytest.approx(100.0, rel=1e-5)


def test_absent_embeddings_stay_zeros_and_have_a_gradient():
    layer, dense = UnitEmbeddings(), keras.layers.Dense(3, use_bias=False)
    x = keras.Input((2, 3))
    model = keras.Model(x, layer(dense(x)))
    model.compile(keras.optimizers.SGD(1.0), Association(3).loss())
    rows = np.random.default_rng(0).normal(size=(4, 2, 3))
    rows[1, 0] = 0
    model.fit(rows, np.full((4, 2), -1), verbose=0)
    assert np.isfinite(dense.get_weights()[0]).all()
    assert (np.asarray(model(rows))[1, 0, :3] == 0).all()


def test_another_kind_is_an_error():
    with pytest.raises(ValueError, match="Expected kind in .*kind='triplet', width=4"):
        Association(4, kind="triplet")
