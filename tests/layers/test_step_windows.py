"""Windows over long sequences."""

import numpy as np
import pytest

from mbm_keras.layers import FromWindows
from mbm_keras.layers import ToWindows
from tests.helpers import numpy


@pytest.mark.parametrize("words", [1, 3, 4, 5, 6, 9])
def test_no_word_is_lost_between_windows(words):
    x = np.random.default_rng(0).standard_normal((2, words, 3)).astype("float32")
    windows = ToWindows(4)(x)
    assert windows.shape[1] <= 4
    mask = np.ones((2, words), bool)
    np.testing.assert_allclose(FromWindows(4)([windows, mask]), x, atol=1e-6)


def test_a_word_at_the_end_of_a_window_counts_less_than_in_its_middle():
    windows = np.stack([np.zeros((4, 1)), np.ones((4, 1))]).astype("float32")
    found = numpy(FromWindows(4)([windows, np.ones((1, 6), bool)]))[0, :, 0]
    np.testing.assert_allclose(found, [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)
