"""Boxes of words: a picture at them, and how they move in training."""

import numpy as np

from mbm_keras.layers import MoveBoxes
from mbm_keras.layers import SampleGrid
from tests.helpers import numpy


def page(boxes):
    """A page of words with these boxes."""
    words = np.zeros((1, len(boxes), 9), "int32")
    words[0, :, 0] = 2
    words[0, :, 1:5] = boxes
    return words


def test_a_picture_is_read_at_the_center_of_a_box():
    grid = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    boxes = [(0, 0, 250, 250), (750, 500, 1_000, 750), (250, 0, 250, 250)]
    found = numpy(SampleGrid()([grid, page(boxes)]))[0, :, 0]
    np.testing.assert_allclose(found, [0, 11, 0.5], atol=1e-5)


def test_boxes_of_a_page_move_together_in_training_alone():
    given = np.repeat(page([(100, 200, 300, 260), (500, 600, 560, 640)]), 20, axis=0)
    given[:, :, 5:] = 7
    given = np.pad(given, [(0, 0), (0, 1), (0, 0)])  # and a word of padding
    layer = MoveBoxes(stretch=0.1, shift=0.05, seed=0)
    np.testing.assert_array_equal(numpy(layer(given)), given)

    moved = numpy(layer(given, training=True))
    others = [0, *range(5, 9)]
    np.testing.assert_array_equal(moved[:, :, others], given[:, :, others])
    assert not moved[:, 2].any()
    box, before = moved[:, :2, 1:5].astype(float), given[:, :2, 1:5]
    assert 20 < abs(box - before).max() <= 0.1 * 640 + 50 + 1
    for first, second in ((0, 2), (1, 3)):  # the same line for all corners of a page
        x = before[0, :, [first, second]].T.reshape(-1)
        for row in box[:, :, [first, second]].reshape(20, -1):
            line = np.polyfit(x, row, 1)
            assert abs(np.polyval(line, x) - row).max() <= 1.0
            assert 0.88 < line[0] < 1.12
    assert len(np.unique(box[:, 0, 0])) > 5  # each page by its own chance


def test_moved_boxes_stay_on_the_page():
    layer = MoveBoxes(stretch=0.5, shift=0.5, seed=0)
    moved = numpy(layer(page([(0, 0, 1_000, 1_000)] * 50), training=True))
    assert moved[:, :, 1:5].min() >= 0 and moved[:, :, 1:5].max() <= 1_000
