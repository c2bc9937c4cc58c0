"""AttentionBlock: dropout after each half; its values are in tests/fusion."""

import numpy as np

from mbm_keras.layers import AttentionBlock
from tests.helpers import assert_same
from tests.helpers import numpy

X = np.random.default_rng(0).standard_normal((2, 3, 8)).astype("float32")


def test_what_each_half_adds_is_dropped_in_training_only():
    layer = AttentionBlock(2, dropout=1.0)
    assert_same(layer(X, training=True), X, atol=0)
    assert np.abs(numpy(layer(X)) - X).max() > 0.1


def test_what_is_kept_is_scaled():
    layer, rate = AttentionBlock(2, dropout=0.25), 0.25
    layer(X)
    layer.narrow.set_weights([0 * w for w in layer.narrow.get_weights()])
    added = numpy(layer(X)) - X  # by attention alone
    dropped = numpy(layer(X, training=True)) - X
    kept = np.abs(dropped) > 0
    assert 0 < kept.mean() < 1
    np.testing.assert_allclose(dropped[kept], added[kept] / (1 - rate), rtol=1e-4)
