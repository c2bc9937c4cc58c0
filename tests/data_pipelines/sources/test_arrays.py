"""Raw values in arrays."""

import numpy as np
import pytest

from data_pipelines import sources
from tests.helpers import image_bytes

# The last bytes of a file may be zeros.
PICTURES = [image_bytes(seed=i) + b"\0" * i for i in range(6)]
TEXTS = ["one", "two", "", "naïve", "five", "six"]


def test_rows_come_by_split():
    loaded = sources.arrays.load(
        {"text": TEXTS, "photo": PICTURES, "age": np.arange(6.0)},
        {"y": np.arange(6)},
        splits=["train", "valid"] * 3,
    )
    assert list(loaded) == ["train", "valid"]
    rows = list(loaded["valid"].as_numpy_iterator())
    assert [x["photo"] for x, _ in rows] == PICTURES[1::2]
    assert [x["text"].decode() for x, _ in rows] == TEXTS[1::2]
    assert [float(x["age"]) for x, _ in rows] == [1.0, 3.0, 5.0]
    assert [int(y["y"]) for _, y in rows] == [1, 3, 5]


@pytest.mark.parametrize(
    "inputs, splits",
    [
        ({"a": [1.0, 2.0], "b": [1.0]}, None),
        ({"a": [1.0, 2.0]}, ["train"]),
        ({"a": np.zeros((3, 2))}, None),
    ],
)
def test_arrays_that_are_not_rows_are_refused(inputs, splits):
    with pytest.raises(ValueError, match="one scalar per row.*Samples.from_arrays"):
        sources.arrays.load(inputs, splits=splits)
