"""Samples of arrays in memory."""

import numpy as np
import pytest

from data_pipelines import Samples
from data_pipelines import augment

INPUTS = {"text": np.arange(6).reshape(3, 2), "image": np.zeros((3, 4, 4, 3), "uint8")}


def test_arrays_become_batches():
    here = {"image": [True, False, True]}
    samples = Samples.from_arrays(INPUTS, {"label": [5, 6, 7]}, present=here)
    x, y = next(iter(samples.batches(3)))
    np.testing.assert_array_equal(x["text"], INPUTS["text"])
    np.testing.assert_array_equal(x["present"], [[1, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(y["label"], [5, 6, 7])
    named = Samples.from_arrays(INPUTS, ids=["a", "b", "c"]).take([2, 0])
    assert named.ids.tolist() == ["c", "a"] and len(named) == 2


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
    with pytest.raises(ValueError, match="as many rows of everything"):
        Samples.from_arrays(**arguments)


def test_a_row_without_anything_is_refused():
    here = {"a": [True, False, True], "b": [True, False, False]}
    with pytest.raises(ValueError, match="1 have none, such as row 1"):
        Samples.from_arrays({"a": np.ones(3), "b": np.ones(3)}, present=here)


def test_batches_by_length_end_with_their_longest():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 60, 100)
    here = np.arange(60) < lengths[:, None]
    sound = (rng.uniform(1, 2, (100, 60, 3)) * here[:, :, None]).astype("float32")
    samples = Samples.from_arrays({"sound": sound}, {"label": np.arange(100)})
    assert samples.lengths("sound").tolist() == lengths.tolist()
    seen, padded = [], 0
    for x, y in samples.batches(16, shuffle=True, bucket_by="sound", max_steps=400):
        rows = y["label"].numpy()
        longest = lengths[rows].max()
        np.testing.assert_array_equal(x["sound"], sound[rows, :longest])
        padded += longest * len(rows)
        seen += rows.tolist()
    assert sorted(seen) == list(range(100))
    assert padded / lengths.sum() < 1.2


def test_random_changes_leave_the_padding_alone():
    sound = np.ones((4, 30, 8), "float32")
    for row, length in enumerate((30, 12, 1, 0)):
        sound[row, length:] = 0
    samples = Samples.from_arrays({"sound": sound})
    change = {"sound": augment.spectrograms()}
    ((x, _),) = samples.batches(4, augment=change)
    changed = x["sound"].numpy()
    np.testing.assert_array_equal((changed != 0).any(axis=2), (sound != 0).any(axis=2))
    assert np.abs(changed - sound).max() > 0.1
