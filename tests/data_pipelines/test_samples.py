"""Samples of arrays in memory."""

import numpy as np
import pytest

from data_pipelines import Samples

INPUTS = {"text": np.arange(6).reshape(3, 2), "image": np.zeros((3, 4, 4, 3), "uint8")}


def test_arrays_become_batches():
    here = {"image": [True, False, True]}
    samples = Samples.of(INPUTS, {"label": [5, 6, 7]}, present=here)
    x, y = next(iter(samples.batches(3)))
    np.testing.assert_array_equal(x["text"], INPUTS["text"])
    np.testing.assert_array_equal(x["present"], [[1, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(y["label"], [5, 6, 7])
    named = Samples.of(INPUTS, ids=["a", "b", "c"]).take([2, 0])
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
        Samples.of(**arguments)
