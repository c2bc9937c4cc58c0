"""zip_aligned: datasets of one length, or an error."""

import pytest
import tensorflow as tf

from data_pipelines import zip_aligned


def test_rejects_unequal_lengths():
    with pytest.raises(ValueError, match="'text': 3"):
        zip_aligned(image=tf.data.Dataset.range(5), text=tf.data.Dataset.range(3))


def test_rejects_an_infinite_dataset():
    with pytest.raises(ValueError, match="-1 is infinite"):
        zip_aligned(a=tf.data.Dataset.range(2).repeat(), b=tf.data.Dataset.range(2))


def test_zips_by_name():
    both = zip_aligned(a=tf.data.Dataset.range(3), b=tf.data.Dataset.range(3, 6))
    assert [(int(x["a"]), int(x["b"])) for x in both] == [(0, 3), (1, 4), (2, 5)]


def unknown(*values):
    """A dataset that does not know its length."""
    return tf.data.Dataset.from_tensor_slices(list(values)).filter(lambda x: True)


def test_datasets_of_unknown_length_are_zipped_whole():
    zipped = zip_aligned(
        words=unknown(b"a", b"b", b"c"),
        ragged=unknown(1, 2, 3).map(lambda n: tf.range(n)),
        known=tf.data.Dataset.range(3),
    )
    rows = list(zipped.as_numpy_iterator())
    assert [row["words"] for row in rows] == [b"a", b"b", b"c"]
    assert [len(row["ragged"]) for row in rows] == [1, 2, 3]
    assert list(rows[0]) == ["words", "ragged", "known"]


@pytest.mark.parametrize("early", ["words", "image"])
def test_a_dataset_that_ends_early_is_named_with_its_element(early):
    parts = {"words": unknown(1, 2, 3), "image": unknown(1, 2, 3)}
    zipped = zip_aligned(**{**parts, early: unknown(1, 2)})
    seen = []
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{early}.*2"):
        for row in zipped:
            seen.append(row)
    assert len(seen) == 2
