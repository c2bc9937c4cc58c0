"""Random changes: of the same shape, decided by the key of a row alone."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment
from data_pipelines.batching import row_random

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 12, 10, 3)).astype("uint8")
SOUNDS = np.random.default_rng(0).standard_normal((4, 20, 8)).astype("float32")
CLIPS = IMAGES.reshape(4, 4, 12, 10, 3)
WAVES = np.sin(np.arange(800, dtype="float32") / 5).reshape(4, 200)
WORDS = np.tile(np.array([[5, 6, 7, 0]], "int32"), (200, 1))


def make_keys(batch, seed=3):
    return row_random.keys(seed, 4, tf.range(len(batch), dtype=tf.int64))


CHANGES = {
    "pictures": (augment.pictures(), IMAGES),
    "crops": (augment.crops(0.2), IMAGES),
    "flips": (augment.flips(), IMAGES),
    "chain": (augment.chain(augment.flips(), augment.crops(0.2)), IMAGES),
    "colors": (augment.colors(), IMAGES),
    "channels": (augment.channels(), IMAGES),
    "frames": (augment.frames(augment.pictures()), CLIPS),
    "spectrograms": (augment.spectrograms(), SOUNDS),
    "speech": (augment.speech(), SOUNDS),
    "noise": (augment.noise(), SOUNDS),
    "waves": (augment.waves(), WAVES),
    "words": (augment.words(), WORDS),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_keys_give_the_same_change(name):
    change, batch = CHANGES[name]
    once, again = change(batch, make_keys(batch)), change(batch, make_keys(batch))
    np.testing.assert_array_equal(once, again)
    assert once.shape == batch.shape and once.dtype == batch.dtype
    assert (once.numpy() != batch).any()


@pytest.mark.parametrize("name", CHANGES)
def test_other_keys_give_another_change(name):
    change, batch = CHANGES[name]
    once, other = change(batch, make_keys(batch)), change(batch, make_keys(batch, 5))
    assert (once.numpy() != other.numpy()).any()


@pytest.mark.parametrize("name", CHANGES)
def test_a_row_changes_the_same_way_in_any_batch(name):
    change, batch = CHANGES[name]
    whole = change(batch, make_keys(batch))
    alone = change(batch[2:3], make_keys(batch)[2:3])
    np.testing.assert_array_equal(alone, whole[2:3])


@pytest.mark.parametrize(
    "change, batch, tolerance",
    [
        (augment.pictures(0, 0, 0, 0), IMAGES, 0),
        (augment.chain(augment.crops(0), augment.flips(0)), IMAGES, 0),
        (augment.colors(0, 0), IMAGES, 1),
        (augment.spectrograms(0, 0, 0, 0, 0, 0), SOUNDS, 0),
        (augment.speech(0, 0, 0, 0, 0, 0), SOUNDS, 0),
        (augment.noise(200, 201), SOUNDS, 1e-5),
        (augment.waves(0, 0, 200, 201), WAVES, 1e-6),
        (augment.words(0.0), WORDS, 0),
    ],
)
def test_severity_0_changes_nothing(change, batch, tolerance):
    changed = change(batch, make_keys(batch)).numpy().astype("float32")
    np.testing.assert_allclose(changed, batch, atol=tolerance)


def test_a_moved_image_is_moved():
    image = np.zeros((1, 20, 20, 3), "uint8")
    image[:, 10, 10] = 255
    change = augment.pictures(shift=0.2, scale=0, degrees=0, contrast=0)
    for seed in range(5):
        moved = change(image, make_keys(image, seed)).numpy()
        y, x = np.unravel_index(moved[0, ..., 0].argmax(), (20, 20))
        assert abs(y - 10) <= 4 and abs(x - 10) <= 4 and moved.sum() > 0


@pytest.fixture(scope="module")
def ramp():
    """Many images whose rows have the values 0, 1, 2 ... 19."""
    rows = np.arange(20, dtype="uint8")[None, :, None, None]
    return np.tile(rows, (99, 1, 20, 3))


def test_a_crop_moves_whole_pixels_and_repeats_the_edge(ramp):
    moved = augment.crops(0.2)(ramp, make_keys(ramp)).numpy()
    first, last = moved[:, 0, 0, 0].astype(int), moved[:, -1, 0, 0].astype(int)
    assert set(first) == set(range(5)) and set(last) == set(range(15, 20))
    np.testing.assert_array_equal(moved, moved[:, :, :1, :1] + 0 * moved)
    assert (np.diff(moved[:, :, 0, 0].astype(int), axis=1) <= 1).all()


def test_a_flip_mirrors_at_its_rate():
    columns = np.arange(10, dtype="uint8")[None, None, :, None]
    images = np.tile(columns, (999, 2, 1, 3))
    flipped = augment.flips(0.25)(images, make_keys(images)).numpy()
    mirrored = flipped[:, 0, 0, 0] == 9
    np.testing.assert_array_equal(flipped[mirrored], images[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~mirrored], images[~mirrored])
    assert 0.2 < mirrored.mean() < 0.3


def test_the_changes_of_a_chain_have_independent_numbers(ramp):
    # Twice the same move would end an even number of pixels away.
    twice = augment.chain(augment.crops(0.1), augment.crops(0.1))
    moved = twice(ramp, make_keys(ramp)).numpy()
    assert (moved[:, 10, 0, 0] % 2 == 1).any()


def test_words_are_hidden_at_their_rate_and_padding_never():
    hidden = augment.words(0.25, unknown=1)(WORDS, make_keys(WORDS)).numpy()
    assert (hidden[:, 3] == 0).all()
    assert 0.2 < (hidden[:, :3] == 1).mean() < 0.3


@pytest.fixture(scope="module")
def soft():
    """Images whose values stay in range when their colors change."""
    return IMAGES // 4 + 96


def test_colors_change_without_the_brightness(soft):
    luma = np.array([0.299, 0.587, 0.114])
    changed = augment.colors(0.5, 0.2)(soft, make_keys(soft)).numpy()
    np.testing.assert_allclose(changed @ luma, soft @ luma, atol=1)


def test_a_gray_image_has_equal_channels(soft):
    gray = augment.colors(gray=1.0)(soft, make_keys(soft)).numpy().astype(int)
    assert np.ptp(gray, axis=-1).max() <= 1 < np.ptp(soft.astype(int), axis=-1).max()


@pytest.fixture(scope="module")
def two_colors():
    """Images of a rectangle and a background, one color each; the rectangle."""
    shape = np.zeros((300, 6, 6, 1), bool)
    shape[:, 2:4, 1:5] = True
    return np.where(shape, np.uint8([200, 90, 120]), np.uint8([100, 140, 130])), shape


def test_mixed_channels_keep_shapes(two_colors):
    images, shape = two_colors
    changed = augment.channels()(images, make_keys(images)).numpy().astype(float)
    inside, outside = changed[:, 2, 1], changed[:, 0, 0]
    expected = np.where(shape, inside[:, None, None], outside[:, None, None])
    np.testing.assert_array_equal(changed, expected)


def test_mixed_channels_keep_the_mean_energy(two_colors):
    images, _ = two_colors
    changed = augment.channels()(images, make_keys(images)).numpy().astype(float)
    energy = np.square(changed[:, 2, 1] - 127.5).mean()
    expected = np.square(images[0, 2, 1] - 127.5).mean()
    assert 0.85 * expected < energy < 1.1 * expected


def test_all_frames_of_a_clip_change_equally_and_padding_stays():
    clip = np.repeat(IMAGES[:2, None], 5, axis=1)
    clip[:, 3:] = 0
    changed = augment.frames(augment.pictures())(clip, make_keys(clip)).numpy()
    assert (changed[:, 0] != clip[:, 0]).any() and not changed[:, 3:].any()
    for frame in (1, 2):
        np.testing.assert_array_equal(changed[:, 0], changed[:, frame])
    assert (changed[0, 0] != changed[1, 0]).any()


def test_noise_does_not_change_padding():
    padding = np.zeros((1, 5, 8), "float32")
    np.testing.assert_array_equal(augment.noise()(padding, make_keys(padding)), padding)


def test_noise_has_the_given_energy():
    steady = np.full((50, 100, 8), np.log(7.0), "float32")
    steady[:, 60:] = 0
    noisy = augment.noise(10, 10)(steady, make_keys(steady)).numpy()
    assert not noisy[:, 60:].any()
    added = np.exp(noisy[:, :60]).mean() - 7.0
    np.testing.assert_allclose(added, 0.7, rtol=0.02)


def test_waves_are_moved():
    wave = np.zeros((200, 100), "float32")
    wave[:, 50] = 1.0
    moved = augment.waves(0.1, 0, 200, 201)(wave, make_keys(wave)).numpy()
    assert set(moved.argmax(axis=1)) == set(range(40, 61))


@pytest.fixture(scope="module")
def tones():
    return np.tile(WAVES.reshape(1, -1), (99, 1))


def test_waves_change_their_level(tones):
    loud = augment.waves(0, 6, 200, 201)(tones, make_keys(tones)).numpy()
    gains = 20 * np.log10(loud.std(axis=1) / tones[0].std())
    assert gains.min() < -5 and gains.max() > 5 and np.abs(gains).max() <= 6


def test_waves_have_the_given_noise(tones):
    noisy = augment.waves(0, 0, 20, 20)(tones, make_keys(tones)).numpy()
    ratio = 10 * np.log10((tones**2).mean() / ((noisy - tones) ** 2).mean())
    np.testing.assert_allclose(ratio, 20, atol=0.2)


def test_changed_speech_begins_and_ends_where_it_did():
    ramp = np.zeros((30, 40, 5), "float32")
    ramp[:, :32] = 1 + np.arange(32)[None, :, None]
    change = augment.speech(0.3, 0, 0, 0, 0, 0)
    changed = change(ramp, make_keys(ramp)).numpy()
    np.testing.assert_allclose(changed[:, [0, 31]], ramp[:, [0, 31]], atol=1e-4)
    assert (changed[:, 32:] == 0).all()
    speed = np.diff(changed[:, :32, 0], axis=1)
    assert (speed > 0.6).all() and (speed < 1.4).all() and speed.std() > 0.02


def test_the_bands_of_speech_are_scaled_and_masks_have_the_mean():
    bands = np.tile(np.arange(1, 41, dtype="float32"), (30, 20, 1))
    scaled = augment.speech(0, 0.1, 0, 0, 0, 0)(bands, make_keys(bands)).numpy()
    ratio = (scaled[:, 0, 20] - 1) / 20
    assert 0.9 <= ratio.min() < 0.95 and 1.05 < ratio.max() <= 1.1
    ramp = np.tile(np.arange(1, 41, dtype="float32")[:, None], (30, 1, 3))
    masked = augment.speech(0, 0, 0, 2, 0.2, 0)(ramp, make_keys(ramp)).numpy()
    hidden = masked != ramp
    assert (masked[hidden] == 20.5).all() and 0.05 < hidden.mean() < 0.4
