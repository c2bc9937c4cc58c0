"""Random changes: by seed, of the same shape, and none at severity 0."""

import numpy as np
import tensorflow as tf

from data_pipelines import augment
from data_pipelines import draw

PICTURES = np.random.default_rng(0).integers(0, 256, (16, 12, 10, 3)).astype("uint8")
SOUNDS = np.random.default_rng(0).standard_normal((4, 20, 8)).astype("float32")
WORDS = np.tile(np.array([[5, 6, 7, 0]], "int32"), (200, 1))


def keys(batch, seed=3):
    return draw.keys(seed, 4, tf.range(len(batch), dtype=tf.int64))


def check(change, batch):
    one, again = change(batch, keys(batch)), change(batch, keys(batch))
    np.testing.assert_array_equal(one, again)
    assert one.shape == batch.shape and one.dtype == batch.dtype
    assert (one.numpy() != batch).any()
    assert (change(batch, keys(batch, 5)).numpy() != one.numpy()).any()
    # A row changes as it does, whatever else is in the batch.
    alone = change(batch[2:3], keys(batch)[2:3])
    np.testing.assert_array_equal(alone, one[2:3])


def test_same_seed_same_change():
    check(augment.pictures(), PICTURES)
    check(augment.crops(0.2), PICTURES)
    check(augment.flips(), PICTURES)
    check(augment.chain(augment.flips(), augment.crops(0.2)), PICTURES)
    check(augment.spectrograms(), SOUNDS)
    check(augment.words(), WORDS)


def test_severity_0_changes_nothing():
    still = augment.pictures(0, 0, 0, 0)(PICTURES, keys(PICTURES))
    np.testing.assert_array_equal(still, PICTURES)
    still = augment.chain(augment.crops(0), augment.flips(0))(PICTURES, keys(PICTURES))
    np.testing.assert_array_equal(still, PICTURES)
    still = augment.spectrograms(0, 0, 0, 0, 0, 0)(SOUNDS, keys(SOUNDS))
    np.testing.assert_array_equal(still, SOUNDS)
    np.testing.assert_array_equal(augment.words(0.0)(WORDS, keys(WORDS)), WORDS)


def test_a_moved_picture_is_moved():
    picture = np.zeros((1, 20, 20, 3), "uint8")
    picture[:, 10, 10] = 255
    change = augment.pictures(shift=0.2, scale=0, degrees=0, contrast=0)
    for seed in range(5):
        moved = change(picture, keys(picture, seed)).numpy()
        y, x = np.unravel_index(moved[0, ..., 0].argmax(), (20, 20))
        assert abs(y - 10) <= 4 and abs(x - 10) <= 4 and moved.sum() > 0


def test_a_crop_moves_whole_pixels_and_repeats_the_edge():
    pictures = np.tile(
        np.arange(20, dtype="uint8")[None, :, None, None], (99, 1, 20, 3)
    )
    moved = augment.crops(0.2)(pictures, keys(pictures)).numpy()
    first, last = moved[:, 0, 0, 0].astype(int), moved[:, -1, 0, 0].astype(int)
    assert set(first) == set(range(5)) and set(last) == set(range(15, 20))
    np.testing.assert_array_equal(moved, moved[:, :, :1, :1] + 0 * moved)
    assert (np.diff(moved[:, :, 0, 0].astype(int), axis=1) <= 1).all()


def test_a_flip_mirrors_at_the_rate():
    pictures = np.tile(
        np.arange(10, dtype="uint8")[None, None, :, None], (999, 2, 1, 3)
    )
    turned = augment.flips(0.25)(pictures, keys(pictures)).numpy()
    mirrored = turned[:, 0, 0, 0] == 9
    np.testing.assert_array_equal(turned[mirrored], pictures[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(turned[~mirrored], pictures[~mirrored])
    assert 0.2 < mirrored.mean() < 0.3


def test_links_of_a_chain_draw_apart():
    # The same move twice with the same numbers would end an even number of pixels off.
    pictures = np.tile(
        np.arange(20, dtype="uint8")[None, :, None, None], (99, 1, 20, 3)
    )
    twice = augment.chain(augment.crops(0.1), augment.crops(0.1))
    moved = twice(pictures, keys(pictures)).numpy()
    assert (moved[:, 10, 0, 0] % 2 == 1).any()


def test_words_are_hidden_at_the_rate_and_padding_never():
    hidden = augment.words(0.25, unknown=1)(WORDS, keys(WORDS)).numpy()
    assert (hidden[:, 3] == 0).all()
    assert 0.2 < (hidden[:, :3] == 1).mean() < 0.3
