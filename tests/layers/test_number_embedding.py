"""The embedding of numbers: its pieces, its edges, and missing numbers."""

import numpy as np
import pytest

from mbm_keras.layers import NumberEmbedding
from mbm_keras.layers import normal_edges
from tests.helpers import assert_same


def test_bins_hold_the_same_share_of_normal_numbers():
    x = np.random.default_rng(0).normal(size=20_000)
    counts, _ = np.histogram(x, normal_edges(8))
    np.testing.assert_allclose(counts / len(x), 1 / 8, atol=0.01)
    assert normal_edges(0) == ()


@pytest.mark.parametrize(
    "x, expected",
    [(-3.0, [-2, 0, 0]), (0.5, [1, 0.5, 0]), (1.0, [1, 1, 0]), (5.0, [1, 1, 2])],
)
def test_an_encoding_is_linear_within_a_bin_and_beyond_the_outer_ones(x, expected):
    encoding = NumberEmbedding(2, [-1.0, 0.0, 1.0, 3.0]).encode(np.array([[x]], "f"))
    np.testing.assert_allclose(np.asarray(encoding)[0, 0], expected, atol=1e-6)


def test_a_missing_number_has_a_vector_of_its_own():
    layer = NumberEmbedding(3, normal_edges(4))
    y = layer(np.zeros((1, 2), "f"), np.array([[1, 0]], "f"))
    assert_same(y[0, 0], layer.bias[0])
    assert_same(y[0, 1], layer.missing[1])


def test_it_begins_as_a_linear_embedding():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("f")
    layer = NumberEmbedding(2, normal_edges(5))
    y = layer(x, np.ones_like(x))
    assert_same(y, x[:, :, None] * layer.kernel + layer.bias)


@pytest.mark.parametrize("edges", [[1.0], [0.0, 0.0], [1.0, 0.0]])
def test_edges_that_do_not_increase_are_an_error(edges):
    with pytest.raises(ValueError, match="two or more that increase"):
        NumberEmbedding(2, edges)
