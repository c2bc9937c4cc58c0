"""mixup: inputs and targets are mixed with the same shares."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import Samples
from data_pipelines import augment
from data_pipelines.augment import mixing
from data_pipelines.batching import row_random

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 12, 10, 3)).astype("uint8")
WORDS = np.tile(np.array([[5, 6, 7, 0]], "int32"), (16, 1))


def make_keys(rows):
    return row_random.keys(3, 4, tf.range(rows, dtype=tf.int64))


def mix(present=None, inputs=("image",)):
    """A mixed batch: its inputs, and `(rows, rows)` the share of each row in each."""
    present = np.ones((16, 2), bool) if present is None else present
    values = {
        "image": tf.constant(IMAGES),
        "text": tf.constant(WORDS),
        "present": tf.constant(present),
    }
    change = augment.mixup(0.5, inputs)
    values, targets = change(values, {"answer": tf.eye(16)}, make_keys(16))
    return values, targets["answer"].numpy()


def test_a_row_is_mixed_with_the_row_before_it():
    _, answer = mix()
    share = np.diag(answer)
    assert (share >= 0.5).all() and (share < 1).any()
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
    rows = np.arange(16)
    np.testing.assert_allclose(answer[rows, rows - 1], 1 - share, atol=1e-6)


def test_images_are_mixed_with_the_shares_of_the_targets():
    values, answer = mix()
    share = np.diag(answer)[:, None, None, None]
    expected = share * IMAGES + (1 - share) * np.roll(IMAGES, 1, 0)
    np.testing.assert_allclose(values["image"], expected, atol=0.51)


def test_inputs_that_are_not_named_are_not_mixed():
    values, _ = mix()
    np.testing.assert_array_equal(values["text"], WORDS)


def test_ids_become_shares_of_classes_that_are_mixed_or_not():
    ids = tf.constant([2, 0, 1, 1])
    values = {"image": tf.zeros((4, 1)), "present": tf.ones((4, 1), tf.bool)}
    given = values, {"answer": ids, "other": ids}, make_keys(4)
    classes = {"answer": 3}
    _, targets = augment.class_shares(classes)(*given)
    np.testing.assert_array_equal(targets["answer"], np.eye(3)[ids])
    np.testing.assert_array_equal(targets["other"], ids)
    given = values, {"answer": ids}, make_keys(4)
    _, targets = augment.class_shares(classes, augment.mixup(0.9, ["image"]))(*given)
    mixed = targets["answer"].numpy()
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
    assert (mixed.argmax(axis=1) == ids.numpy()).all() and mixed.max(axis=1).min() < 1


def test_the_share_is_the_larger_of_a_beta_distribution():
    share = mixing._larger_share(make_keys(100_000), 0.3).numpy()
    beta = np.random.default_rng(0).beta(0.3, 0.3, 100_000)
    expected = np.maximum(beta, 1 - beta)
    levels = (0.1, 0.3, 0.5, 0.7)
    np.testing.assert_allclose(
        np.quantile(share, levels), np.quantile(expected, levels), atol=0.01
    )


def test_rows_with_different_inputs_are_not_mixed():
    present = np.ones((16, 2), bool)
    present[4, 1] = False
    _, answer = mix(present)
    assert (np.diag(answer)[4:6] == 1).all() and (np.diag(answer) < 1).any()


def test_ids_cannot_be_mixed():
    with pytest.raises(ValueError, match="'text' of int32"):
        mix(inputs=None)


def test_classes_cannot_be_mixed():
    samples = Samples.from_arrays({"image": IMAGES}, {"answer": np.arange(16)})
    with pytest.raises(ValueError, match="one_hot.*'answer' of int64"):
        samples.batches(4, mixup=augment.mixup())


def test_alpha_is_checked():
    with pytest.raises(ValueError, match="alpha=0"):
        augment.mixup(0)
