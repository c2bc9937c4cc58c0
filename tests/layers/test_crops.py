"""Crops in time: one at random in training, several otherwise, in step."""

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.layers import MeanOfCrops
from mbm_keras.layers import TakeCrops
from mbm_keras.layers import crops_present


def ramp(steps, rows=2):
    """`(rows, steps, 1)` whose values are the times."""
    time = np.arange(steps, dtype="float32")[None, :, None] / steps
    return np.repeat(time, rows, axis=0)


def test_crops_at_even_distances_reach_from_the_start_to_the_end():
    (crops,) = TakeCrops(3, 0.5)([ramp(8)])
    assert crops.shape == (2, 3, 4, 1)
    first = np.asarray(crops)[0, :, 0, 0] * 8
    assert first.tolist() == [0, 2, 4]


def test_one_crop_is_from_the_middle():
    (crops,) = TakeCrops(1, 0.5)([ramp(8)])
    assert np.asarray(crops)[0, 0, :, 0].tolist() == [0.25, 0.375, 0.5, 0.625]


def test_a_random_crop_is_at_the_same_moment_of_all_inputs_and_differs_by_row():
    layer = TakeCrops(3, 0.5, seed=0)
    few, many = layer([ramp(16, 64), ramp(160, 64)], training=True)
    assert few.shape[:3] == (64, 1, 8) and many.shape[:3] == (64, 1, 80)
    few, many = (np.asarray(x)[:, 0, 0, 0] for x in (few, many))
    assert np.abs(few - many).max() <= 0.5 / 16 + 1e-6
    assert len(np.unique(few)) > 4


def test_a_crop_of_padding_has_no_input():
    x = ramp(8) + 1
    x[1, 4:] = 0
    crops = TakeCrops(2, 0.5)([x])
    assert crops_present(crops)[..., 0].numpy().tolist() == [[True] * 2, [True, False]]
    present = np.array([[False], [True]])
    found = crops_present(crops, present)[..., 0].numpy().tolist()
    assert found == [[False, False], [True, False]]


def test_the_mean_leaves_crops_of_padding_out():
    x = np.array([[1.0], [3.0], [5.0], [7.0]], "float32")
    valid = np.array([[True, False], [False, False]])
    mean = MeanOfCrops()(x, ops.convert_to_tensor(valid))
    assert np.asarray(mean)[:, 0].tolist() == [1.0, 6.0]


@pytest.mark.parametrize("arguments", [(0, 0.5), (2, 0.0), (2, 1.5)])
def test_rejects_no_crops_and_crops_longer_than_the_input(arguments):
    with pytest.raises(ValueError, match="Expected num_crops >= 1 and 0 < share <= 1"):
        TakeCrops(*arguments)


def test_is_saved_with_its_sizes():
    config = TakeCrops(3, 0.5, seed=1).get_config()
    again = TakeCrops.from_config(config)
    assert (again.num_crops, again.share, again.seed) == (3, 0.5, 1)
    x = keras.Input((8, 1))
    assert again([x])[0].shape == (None, None, 4, 1)
