"""Relative attention against NumPy, and the block of a Conformer with padding."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import ConformerBlock
from mbm_keras.layers import RelativeAttention
from tests.helpers import assert_same
from tests.helpers import numpy

RNG = np.random.default_rng(0)
X = RNG.normal(0, 1, (2, 5, 8)).astype("float32")
MASK = np.array([[True] * 5, [True] * 3 + [False] * 2])


def built(layer):
    keras.utils.set_random_seed(0)
    layer(X, mask=MASK)
    return layer


def test_scores_are_those_of_the_equation():
    layer = built(RelativeAttention(2))
    named = {
        w.path.rpartition("relative_attention")[2]: numpy(w) for w in layer.weights
    }

    def of(name, part="kernel"):
        return next(w for path, w in named.items() if path.endswith(f"{name}/{part}"))

    u, v = (numpy(w) for w in (layer.content_bias, layer.distance_bias))
    x = X[1, :3]
    q, k, value = (x @ of(n) + of(n, "bias") for n in ("query", "key", "value"))
    rate = 10_000.0 ** (-np.arange(0, 8, 2) / 8)
    heads = []
    for head, part in enumerate((slice(0, 4), slice(4, 8))):
        scores = np.zeros((3, 3))
        for i in range(3):
            for j in range(3):
                angle = (i - j) * rate
                code = np.concatenate([np.sin(angle), np.cos(angle)])
                distance = (code @ of("distance"))[part]
                scores[i, j] = (q[i, part] + u[head]) @ k[j, part]
                scores[i, j] += (q[i, part] + v[head]) @ distance
        weights = np.exp(scores / 2)
        weights /= weights.sum(axis=1, keepdims=True)
        heads.append(weights @ value[:, part])
    right = np.concatenate(heads, axis=1) @ of("contract") + of("contract", "bias")
    assert_same(layer(X, mask=MASK)[1, :3], right)


def test_a_row_is_the_same_with_and_without_padding():
    block = built(ConformerBlock(2, 3))
    block.batch_norm.moving_mean.assign(RNG.normal(0, 1, 8))
    noisy = X.copy()
    noisy[1, 3:] = 9.0
    padded = numpy(block(noisy, mask=MASK))
    assert_same(padded[1, :3], block(X[1:2, :3])[0], atol=1e-5)
    assert (padded[1, 3:] == 0).all()


def test_padding_does_not_enter_the_statistics():
    block, other = built(ConformerBlock(2, 3)), built(ConformerBlock(2, 3))
    other.set_weights(block.get_weights())
    noisy = X.copy()
    noisy[1, 3:] = 9.0
    block(X, mask=MASK, training=True)
    other(noisy, mask=MASK, training=True)
    assert_same(block.batch_norm.moving_mean, other.batch_norm.moving_mean)
    assert (numpy(block.batch_norm.moving_mean) != 0).any()


@pytest.mark.parametrize("width, parameters", [(144, 506_736), (256, 1_588_992)])
def test_has_as_many_weights_as_published(width, parameters):
    block = ConformerBlock(4)
    block.build((None, None, width))
    assert sum(np.prod(w.shape) for w in block.trainable_weights) == parameters


def test_sizes_that_make_no_sense_are_an_error():
    with pytest.raises(ValueError, match="odd kernel_size.*kernel_size=4"):
        ConformerBlock(2, 4)
    with pytest.raises(ValueError, match="multiple of `num_heads`.*num_heads=3"):
        RelativeAttention(3).build((None, None, 8))
