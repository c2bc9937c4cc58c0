"""A picture at the boxes of words."""

import numpy as np

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
