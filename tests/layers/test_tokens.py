"""Learned tokens, and codes of positions."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import Sinusoids
from tests.helpers import assert_same
from tests.helpers import numpy


@pytest.mark.parametrize("width", [6, 5])
def test_positions_have_the_sines_and_cosines_of_the_paper(width):
    x = np.random.default_rng(0).standard_normal((2, 4, width)).astype("float32")
    expected = x.astype("float64")
    for t in range(4):
        for column in range(width):
            k = column // 2
            angle = t / 10_000 ** (2 * k / width)
            expected[:, t, column] += np.cos(angle) if column % 2 else np.sin(angle)
    assert_same(Sinusoids()(x), expected)


def test_positions_keep_the_mask():
    x = np.array([[[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]], "float32")
    out = MaskedMean()(Sinusoids()(keras.layers.Masking()(x)))
    assert_same(out, numpy(Sinusoids()(x))[:, :2].mean(axis=1))


def test_every_row_has_the_same_learned_tokens():
    keras.utils.set_random_seed(0)
    layer = LearnedTokens(300, 40, stddev=0.5)
    tokens = numpy(layer(np.zeros((3, 7))))
    assert_same(tokens, np.stack([numpy(layer.kernel)] * 3))
    assert tokens.std() == pytest.approx(0.5, rel=0.05)
    assert layer.compute_output_spec(keras.Input((7,))).shape == (None, 300, 40)


def test_learned_tokens_have_no_padding():
    sequence = keras.layers.Masking()(np.zeros((2, 3, 4), "float32"))
    assert getattr(LearnedTokens(2, 3)(sequence), "_keras_mask", None) is None
