"""Samples: arrays in memory as batches."""

import numpy as np
import pytest

from data_pipelines import Samples
from data_pipelines import augment

INPUTS = {"text": np.arange(6).reshape(3, 2), "image": np.zeros((3, 4, 4, 3), "uint8")}


def texts(dataset):
    """The numbers of a dataset's text, a list for each batch."""
    return [x["text"].numpy().tolist() for x, _ in dataset]


@pytest.fixture(scope="module")
def samples():
    """Forty rows: a text, which is the number of the row, and an image."""
    images = np.random.default_rng(0).integers(0, 256, (40, 2, 2, 3), "uint8")
    return Samples.from_arrays({"text": np.arange(1, 41), "image": images})


def test_arrays_become_batches():
    present = {"image": [True, False, True]}
    samples = Samples.from_arrays(INPUTS, {"label": [5, 6, 7]}, present=present)
    x, y = next(iter(samples.batches(3)))
    np.testing.assert_array_equal(x["text"], INPUTS["text"])
    np.testing.assert_array_equal(x["present"], [[1, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(y["label"], [5, 6, 7])


def test_rows_are_taken_in_the_order_of_their_index():
    samples = Samples.from_arrays(INPUTS, ids=["a", "b", "c"]).take([2, 0])
    assert samples.ids.tolist() == ["c", "a"] and len(samples) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        dict(inputs={}),
        dict(inputs=INPUTS, targets={"label": [1, 2]}),
        dict(inputs={**INPUTS, "sound": np.zeros((2, 5))}),
        dict(inputs=INPUTS, present={"sound": [True] * 3}),
    ],
)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="same number of rows"):
        Samples.from_arrays(**arguments)


def test_a_row_without_an_input_is_refused():
    present = {"a": [True, False, True], "b": [True, False, False]}
    with pytest.raises(ValueError, match="1 rows without an input, such as row 1"):
        Samples.from_arrays({"a": np.ones(3), "b": np.ones(3)}, present=present)


def test_batches_have_every_row_in_order(samples):
    batches = samples.batches(16)
    assert sum(texts(batches), []) == list(range(1, 41))
    assert int(batches.cardinality()) == 3


def test_a_shuffled_epoch_has_every_row_in_another_order(samples):
    batches = samples.batches(16, shuffle=True, seed=1)
    first, second = texts(batches), texts(batches)
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(1, 41))
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(b) for b in second}


def test_the_order_depends_on_the_seed(samples):
    first = texts(samples.batches(16, shuffle=True, seed=1))
    assert texts(samples.batches(16, shuffle=True, seed=1)) == first
    assert texts(samples.batches(16, shuffle=True, seed=2)) != first


def test_inputs_that_are_left_out_change_nothing_else(samples):
    change = {"image": lambda x, keys: x, "text": lambda x, keys: x + keys % 100}
    options = dict(shuffle=True, augment=change)
    part = samples.batches(16, **options, inputs=["text"])
    assert texts(part) == texts(samples.batches(16, **options))
    assert set(part.element_spec[0]) == {"text", "present"}


@pytest.mark.parametrize(
    "arguments",
    [
        dict(augment={"picture": augment.flips()}),
        dict(inputs=["picture"]),
        dict(group_by="picture"),
        dict(bucket_by="picture"),
    ],
)
def test_a_key_that_is_not_an_input_is_refused(samples, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"`{name}` to name inputs.*\['picture'\]"):
        samples.batches(16, **arguments)


def test_unique_values_cannot_be_mixed(samples):
    with pytest.raises(ValueError, match="unique=False with mixup"):
        samples.batches(16, unique=True, mixup=augment.mixup())


@pytest.fixture(scope="module")
def sounds():
    """Hundred sounds of 1 to 59 steps; their lengths, and the arrays."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 60, 100)
    valid = np.arange(60) < lengths[:, None]
    sound = (rng.uniform(1, 2, (100, 60, 3)) * valid[:, :, None]).astype("float32")
    return lengths, sound


def test_lengths_are_the_steps_before_the_padding(sounds):
    lengths, sound = sounds
    samples = Samples.from_arrays({"sound": sound})
    assert samples.lengths("sound").tolist() == lengths.tolist()


def test_a_batch_of_a_bucket_ends_with_its_longest_row(sounds):
    lengths, sound = sounds
    samples = Samples.from_arrays({"sound": sound}, {"label": np.arange(100)})
    seen, padded = [], 0
    for x, y in samples.batches(16, shuffle=True, bucket_by="sound", max_steps=400):
        rows = y["label"].numpy()
        longest = lengths[rows].max()
        np.testing.assert_array_equal(x["sound"], sound[rows, :longest])
        padded += longest * len(rows)
        seen += rows.tolist()
    assert sorted(seen) == list(range(100))
    assert padded / lengths.sum() < 1.2


def test_random_changes_leave_the_padding_unchanged():
    sound = np.ones((4, 30, 8), "float32")
    for row, length in enumerate((30, 12, 1, 0)):
        sound[row, length:] = 0
    samples = Samples.from_arrays({"sound": sound})
    change = {"sound": augment.spectrograms()}
    ((x, _),) = samples.batches(4, augment=change)
    changed = x["sound"].numpy()
    np.testing.assert_array_equal((changed != 0).any(axis=2), (sound != 0).any(axis=2))
    assert np.abs(changed - sound).max() > 0.1
