"""Attention by distances on a page."""

import numpy as np
from keras import ops

from mbm_keras.layers import LayoutBias
from mbm_keras.layers import distance_bucket
from tests.helpers import numpy


def page(boxes, length=0):
    """A page of words with these boxes, and padding up to a length."""
    words = np.zeros((1, max(length, len(boxes)), 9), "int32")
    words[0, : len(boxes), 0] = 2
    words[0, : len(boxes), 1:5] = boxes
    return words


def test_buckets_are_exact_near_by_and_logarithmic_far_away():
    found = numpy(distance_bucket(ops.arange(-2_000, 2_001), 1_000))
    assert found[2_000] == 0 and found[1_999] == 1 and found[2_001] == 33
    assert found.max() == 63 and (np.diff(found[2_001:]) >= 0).all()
    assert len(set(found[2_001:2_016])) == 15  # 1 to 15
    assert found[0] == found[1_000] == 31


def test_scores_of_attention_depend_on_distances_alone_and_hide_padding():
    layer = LayoutBias(2)
    boxes = np.array([(100, 100, 200, 120), (300, 400, 350, 420)])
    before, moved = (numpy(layer(page(boxes + k, 3))) for k in (0, 50))
    np.testing.assert_array_equal(before[..., :2, :], moved[..., :2, :])
    assert (before[..., 2] < -1e3).all() and (abs(before[..., :2]) < 1).all()
    apart = boxes + np.array([[0] * 4, [200, 0, 200, 0]])
    assert abs(numpy(layer(page(apart, 3))) - before)[..., 0, 1].max() > 1e-3
