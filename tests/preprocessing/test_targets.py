"""Targets: to numbers for training, and back to words for serving."""

import re

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Caption
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Labels
from mbm_keras.preprocessing import Quantity
from mbm_keras.preprocessing import Sounds
from tests.helpers import wav_bytes


def test_label():
    label = Label()
    label.adapt(["10", "9", "b", "9"])
    assert label.vocabulary == ["9", "10", "b"]
    ids = label.encode(["b", "9", "never"])
    assert ids.tolist() == [2, 0, -1] and label.known(ids).tolist() == [1, 1, 0]
    out = label.decode(tf.constant([[0.0, 5.0, 0.0]]), "y")
    assert out["y"].numpy().tolist() == [b"10"]
    assert out["y_probabilities"].numpy().sum() == pytest.approx(1)


def test_labels():
    labels = Labels()
    labels.adapt(["a|b", "", ["c"]])
    encoded = labels.encode(["b|a", "", "a|never"])
    np.testing.assert_array_equal(encoded[:2], [[1, 1, 0], [0, 0, 0]])
    assert labels.known(encoded).tolist() == [True, True, False]
    out = labels.decode(tf.constant([[1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]]), "y")
    assert out["y"].numpy().tolist() == [b"a|c", b""]


def test_quantity():
    number = Quantity()
    number.adapt([1, 3, None])
    assert (number.mean, number.scale) == (2.0, 1.0)
    assert number.known(number.encode([1, None, "x"])).tolist() == [True, False, False]


@pytest.mark.parametrize(
    "target, values", [(Label(), ["a", "a"]), (Quantity(), [1, 1]), (Labels(), [""])]
)
def test_nothing_to_learn_is_an_error(target, values):
    with pytest.raises(ValueError, match="training split"):
        target.adapt(values)


def test_rows_of_different_numbers_of_sounds_are_an_error():
    with pytest.raises(ValueError, match=r"as many in each row.*sounds=\[1, 2\]"):
        Sounds(8_000).adapt([[wav_bytes()], [wav_bytes()] * 2])


@pytest.mark.parametrize(
    "target, value, reason",
    [
        (Label("ab"), "c", "not a label of the training split"),
        (Labels("ab"), "a|x|y", r"labels \['x', 'y'\] are not in the training split"),
        (Quantity(), "heavy", "not a number"),
        (Caption(4, ["ein"]), "ein ein ein ein", "not a caption of 1 to 3 words"),
        (Caption(4, ["ein"]), "!?", "not a caption of 1 to 3 words"),
        (Sounds(8_000), b"no sound", "."),
    ],
)
def test_says_why_a_model_cannot_learn_from_a_value(target, value, reason):
    assert re.search(reason, target.explain(value))
