"""A `tf.data.Dataset` of rows."""

import pytest
import tensorflow as tf

from data_pipelines import sources
from data_pipelines.tables import splits
from tests.helpers import image_bytes

PICTURES = [image_bytes(seed=i) + b"\0" * i for i in range(6)]
TEXTS = [b"one", b"two", b"", "naïve".encode(), b"\xff", b"six"]
ROWS = tf.data.Dataset.from_tensor_slices(
    ({"text": TEXTS, "photo": PICTURES}, {"y": list("ababab")})
)


def test_a_row_with_invalid_text_is_broken():
    table = sources.open_table(ROWS, target="y", columns={"text": "text"})
    assert table.columns == {"text": "text", "photo": "image"}
    assert [(item.row, item.column) for item in table.broken] == [(5, "text")]
    assert table.rows.tolist() == [1, 2, 3, 4, 6] and table.rows_read == 6


def test_bytes_are_those_of_the_dataset():
    table = sources.open_table(ROWS, target="y", inputs=["photo"])
    data, _ = table.read_cells("photo", table.raw("photo"))
    assert data == PICTURES[:4] + PICTURES[5:]


def test_the_splits_are_those_of_the_dict():
    table = sources.open_table({"train": ROWS, "validation": ROWS})
    assert splits.count(table.split) == {"train": 5, "valid": 5}


def test_a_dataset_may_have_no_targets():
    table = sources.open_table(ROWS.map(lambda inputs, _: inputs))
    assert table.target is None and len(table.rows) == 5


def test_load_gives_pairs_by_split():
    loaded = sources.dataset.load(ROWS.map(lambda inputs, _: inputs))
    inputs, targets = next(iter(loaded["train"]))
    assert inputs["photo"] == PICTURES[0] and targets == {}


@pytest.mark.parametrize(
    "wrong",
    [
        tf.data.Dataset.range(3),
        tf.data.Dataset.from_tensor_slices({"a": [1.0, 2.0]}).batch(2),
        tf.data.Dataset.from_tensor_slices(({"a": [1.0]}, [1.0])),
    ],
)
def test_a_dataset_of_something_else_is_refused(wrong):
    with pytest.raises(ValueError, match="inputs and targets of one row"):
        sources.open_table({"train": wrong})
