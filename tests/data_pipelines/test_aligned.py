"""zip_aligned keeps modalities in step or says why not."""

import pytest
import tensorflow as tf

from data_pipelines import zip_aligned


def test_rejects_unequal_lengths():
    with pytest.raises(ValueError, match="'text': 3"):
        zip_aligned(image=tf.data.Dataset.range(5), text=tf.data.Dataset.range(3))


def test_rejects_unknown_length():
    odd = tf.data.Dataset.range(5).filter(lambda i: i % 2 == 1)
    with pytest.raises(ValueError, match="-2 is unknown"):
        zip_aligned(image=odd, text=tf.data.Dataset.range(2))


def test_zips_by_name():
    both = zip_aligned(a=tf.data.Dataset.range(3), b=tf.data.Dataset.range(3, 6))
    assert [(int(x["a"]), int(x["b"])) for x in both] == [(0, 3), (1, 4), (2, 5)]
