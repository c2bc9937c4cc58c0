"""overlap_add: a long sound to overlapping windows, and back."""

import numpy as np
import pytest

from data_pipelines.recordings import overlap_add

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("length", [1, 9, 10, 11, 15, 16, 47])
@pytest.mark.parametrize("hop", [1, 5, 7, 10])
def test_joined_windows_are_the_sound(length, hop):
    waves = RNG.standard_normal((3, length)).astype("float32")
    windows = np.stack([overlap_add.split(wave, 10, hop) for wave in waves], axis=1)
    assert windows.shape[1:] == (3, 10)
    assert len(windows) == 1 or (len(windows) - 2) * hop + 10 < length
    whole = overlap_add.join(windows, hop, length)
    np.testing.assert_allclose(whole, waves, atol=1e-6)


def test_frames_of_a_clip_are_split_too():
    frames = np.arange(7 * 2).reshape(7, 2)
    windows = overlap_add.split(frames, 4, 2)
    assert windows.shape == (3, 4, 2)
    np.testing.assert_array_equal(windows[2], [[8, 9], [10, 11], [12, 13], [0, 0]])


def test_a_window_fades_into_the_next():
    windows = np.array([[[1.0] * 6], [[3.0] * 6]])
    whole = overlap_add.join(windows, 4, 10)
    np.testing.assert_allclose(whole[0], [1, 1, 1, 1, 1.5, 2.5, 3, 3, 3, 3])


def test_sounds_in_any_order_are_put_into_the_first_order():
    waves = RNG.standard_normal((3, 100)).astype("float32")
    windows = np.stack([overlap_add.split(wave, 20, 10) for wave in waves], axis=1)
    permuted = [windows[0]] + [RNG.permutation(window) for window in windows[1:]]
    whole = overlap_add.join(permuted, 10, 100, any_order=True)
    np.testing.assert_allclose(whole, waves, atol=1e-6)


def test_a_hop_longer_than_a_window_is_refused():
    with pytest.raises(ValueError, match="hop=11"):
        overlap_add.split(np.zeros(20), 10, 11)


def test_a_hop_of_0_is_refused():
    with pytest.raises(ValueError, match="hop=0"):
        overlap_add.join(np.zeros((2, 1, 10)), 0, 20)


def test_any_order_needs_an_overlap():
    with pytest.raises(ValueError, match="only the overlap shows"):
        overlap_add.join(np.zeros((2, 2, 10)), 10, 20, any_order=True)
