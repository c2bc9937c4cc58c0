"""Random changes: by seed, of the same shape, and none at severity 0."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import Samples
from data_pipelines import augment
from data_pipelines.augment import mixing
from data_pipelines.batching import row_random

PICTURES = np.random.default_rng(0).integers(0, 256, (16, 12, 10, 3)).astype("uint8")
SOUNDS = np.random.default_rng(0).standard_normal((4, 20, 8)).astype("float32")
CLIPS = PICTURES.reshape(4, 4, 12, 10, 3)
WAVES = np.sin(np.arange(800, dtype="float32") / 5).reshape(4, 200)
WORDS = np.tile(np.array([[5, 6, 7, 0]], "int32"), (200, 1))


def keys(batch, seed=3):
    return row_random.keys(seed, 4, tf.range(len(batch), dtype=tf.int64))


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
    check(augment.colors(), PICTURES)
    check(augment.channels(), PICTURES)
    check(augment.frames(augment.pictures()), CLIPS)
    check(augment.noise(), SOUNDS)
    check(augment.waves(), WAVES)


def test_severity_0_changes_nothing():
    still = augment.pictures(0, 0, 0, 0)(PICTURES, keys(PICTURES))
    np.testing.assert_array_equal(still, PICTURES)
    still = augment.chain(augment.crops(0), augment.flips(0))(PICTURES, keys(PICTURES))
    np.testing.assert_array_equal(still, PICTURES)
    still = augment.spectrograms(0, 0, 0, 0, 0, 0)(SOUNDS, keys(SOUNDS))
    np.testing.assert_array_equal(still, SOUNDS)
    np.testing.assert_array_equal(augment.words(0.0)(WORDS, keys(WORDS)), WORDS)
    still = augment.colors(0, 0)(PICTURES, keys(PICTURES))
    np.testing.assert_allclose(still.numpy().astype(int), PICTURES, atol=1)
    still = augment.waves(0, 0, 200, 201)(WAVES, keys(WAVES))
    np.testing.assert_allclose(still, WAVES, atol=1e-6)
    still = augment.noise(200, 201)(SOUNDS, keys(SOUNDS))
    np.testing.assert_allclose(still, SOUNDS, atol=1e-5)


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


def test_colors_change_and_brightness_stays():
    luma = np.array([0.299, 0.587, 0.114])
    middle = PICTURES // 4 + 96  # nothing is cut off at 0 or 255
    changed = augment.colors(0.5, 0.2)(middle, keys(middle)).numpy()
    np.testing.assert_allclose(changed @ luma, middle @ luma, atol=1)
    gray = augment.colors(gray=1.0)(middle, keys(middle)).numpy().astype(int)
    assert np.ptp(gray, axis=-1).max() <= 1 < np.ptp(middle.astype(int), axis=-1).max()


def test_mixed_channels_keep_what_is_alike_alike():
    """Of two colours two are made, others in every picture, where they were."""
    shape = np.zeros((300, 6, 6, 1), bool)
    shape[:, 2:4, 1:5] = True
    two = np.where(shape, np.uint8([200, 90, 120]), np.uint8([100, 140, 130]))
    changed = augment.channels()(two, keys(two)).numpy().astype(float)
    inside, outside = changed[:, 2, 1], changed[:, 0, 0]
    expected = np.where(shape, inside[:, None, None], outside[:, None, None])
    np.testing.assert_array_equal(changed, expected)
    # Its square is that of the colour about the middle, in the mean of many.
    energy = np.square(inside - 127.5).mean()
    wanted = np.square(two[0, 2, 1] - 127.5).mean()
    assert 0.85 * wanted < energy < 1.1 * wanted


def test_all_frames_of_a_clip_change_alike_and_padding_stays():
    clip = np.repeat(PICTURES[:2, None], 5, axis=1)
    clip[:, 3:] = 0
    changed = augment.frames(augment.pictures())(clip, keys(clip)).numpy()
    assert (changed[:, 0] != clip[:, 0]).any() and not changed[:, 3:].any()
    for frame in (1, 2):
        np.testing.assert_array_equal(changed[:, 0], changed[:, frame])
    assert (changed[0, 0] != changed[1, 0]).any()


def test_noise_has_the_energy_it_is_told():
    silent = np.zeros((1, 5, 8), "float32")  # padding has no energy to go by
    np.testing.assert_array_equal(augment.noise()(silent, keys(silent)), silent)
    steady = np.full((50, 100, 8), np.log(7.0), "float32")
    steady[:, 60:] = 0
    made = augment.noise(10, 10)(steady, keys(steady)).numpy()
    assert not made[:, 60:].any()
    added = np.exp(made[:, :60]).mean() - 7.0
    np.testing.assert_allclose(added, 0.7, rtol=0.02)


def test_waves_are_moved_scaled_and_noisy_as_told():
    wave = np.zeros((200, 100), "float32")
    wave[:, 50] = 1.0
    moved = augment.waves(0.1, 0, 200, 201)(wave, keys(wave)).numpy()
    assert set(moved.argmax(axis=1)) == set(range(40, 61))
    tone = np.tile(WAVES.reshape(1, -1), (99, 1))
    loud = augment.waves(0, 6, 200, 201)(tone, keys(tone)).numpy()
    gains = 20 * np.log10(loud.std(axis=1) / tone[0].std())
    assert gains.min() < -5 and gains.max() > 5 and np.abs(gains).max() <= 6
    rough = augment.waves(0, 0, 20, 20)(tone, keys(tone)).numpy()
    ratio = 10 * np.log10((tone**2).mean() / ((rough - tone) ** 2).mean())
    np.testing.assert_allclose(ratio, 20, atol=0.2)


def mixed(alpha=0.5, here=None, **more):
    """A batch mixed: its inputs, and the share of each row that is its own."""
    rows = len(PICTURES)
    here = np.ones((rows, 2), bool) if here is None else here
    inputs = {
        "image": tf.constant(PICTURES),
        "text": tf.constant(WORDS[:rows]),
        "present": tf.constant(here),
    }
    targets = {"answer": tf.eye(rows)}
    change = augment.mixup(alpha, **{"inputs": ["image"], **more})
    values, targets = change(inputs, targets, keys(PICTURES))
    return values, targets["answer"].numpy()


def test_mixup_mixes_pictures_and_targets_alike():
    values, answer = mixed()
    share = np.diag(answer)
    assert (share >= 0.5).all() and (share < 1).any()
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
    before = np.arange(len(share)) - 1
    np.testing.assert_allclose(answer[before + 1, before], 1 - share, atol=1e-6)
    part = share[:, None, None, None]
    wanted = part * PICTURES + (1 - part) * np.roll(PICTURES, 1, 0)
    np.testing.assert_allclose(values["image"], wanted, atol=0.51)
    np.testing.assert_array_equal(values["text"], WORDS[: len(PICTURES)])


def test_mixup_draws_the_larger_share_of_a_beta_distribution():
    share = mixing._larger_share(keys(range(100_000)), 0.3).numpy()
    drawn = np.random.default_rng(0).beta(0.3, 0.3, 100_000)
    wanted = np.quantile(np.maximum(drawn, 1 - drawn), (0.1, 0.3, 0.5, 0.7))
    np.testing.assert_allclose(
        np.quantile(share, (0.1, 0.3, 0.5, 0.7)), wanted, atol=0.01
    )


def test_mixup_leaves_rows_of_unlike_presence_alone():
    here = np.ones((len(PICTURES), 2), bool)
    here[4, 1] = False
    _, answer = mixed(here=here)
    assert (np.diag(answer)[4:6] == 1).all() and (np.diag(answer) < 1).any()


def test_mixup_refuses_what_has_no_middle():
    with pytest.raises(ValueError, match="'text' of int32"):
        mixed(inputs=None)
    with pytest.raises(ValueError, match="alpha=0"):
        augment.mixup(0)
    samples = Samples.from_arrays({"image": PICTURES}, {"answer": np.arange(16)})
    with pytest.raises(ValueError, match="one_hot.*'answer' of int64"):
        samples.batches(4, mixup=augment.mixup())
