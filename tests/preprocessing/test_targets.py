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
from mbm_keras.tasks import task_for
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


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_a_quantity_is_learned_in_units_of_its_scale(unit):
    number = Quantity()
    number.adapt([1 * unit, 3 * unit, None])
    assert number.encode([1 * unit, 3 * unit]).tolist() == [-1, 1]
    assert number.known(number.encode([1, None, "x", "inf"])).tolist() == [
        True, False, False, False,
    ]  # fmt: skip
    answer = number.decode(tf.constant([[0.5]]), "y")["y"]
    assert number.restore(answer) == [pytest.approx(2.5 * unit, rel=1e-12)]


def test_a_quantity_of_milliseconds_since_1970_comes_back():
    times = [1_700_000_000_000 + 1_000 * i for i in range(100)]
    number = Quantity()
    number.adapt(times)
    outputs = tf.constant(number.encode(times)[:, None])
    assert np.abs(np.subtract(number.decode(outputs, "y")["y"], times)).max() < 1


def test_the_metrics_of_a_quantity_are_in_its_unit():
    number = Quantity()
    number.adapt([1e20, 3e20])
    task = task_for("y", number)
    truth, outputs = number.encode([1e20, 3e20]), np.array([[-1.0], [0.0]], "float32")
    figures = {}
    for metric in task.metrics():
        metric.update_state(truth[:, None], outputs)
        figures[metric.name] = float(metric.result())
    assert figures["mae"] == pytest.approx(0.5e20)
    assert figures["rmse"] == pytest.approx(0.5**0.5 * 1e20)


LABELS = ["01", "1", "True", "3.0", " a", "a", "①", "$^$", "é", "e\u0301", "a|b"]


def test_a_label_comes_back_letter_by_letter():
    for labels in (LABELS, LABELS[::-1]):
        label = Label()
        label.adapt(labels)
        outputs = tf.one_hot(label.encode(labels), len(labels))
        assert label.restore(label.decode(outputs, "y")["y"]) == labels
        assert label.vocabulary[:2] == ["01", "1"]


@pytest.mark.parametrize(
    "values",
    [[True, False], [2**60 + 1, 2**60], [3.0, 0.5], ["True", "False"], [1, "x"]],
)
def test_a_label_comes_back_in_the_type_of_its_cells(values):
    label = Label()
    label.adapt(values)
    again = Label.from_config(label.config())
    outputs = tf.one_hot(again.encode(values), 2)
    restored = again.restore(again.decode(outputs, "y")["y"])
    right = values if values != [1, "x"] else ["1", "x"]
    assert restored == right and list(map(type, restored)) == list(map(type, right))


@pytest.mark.parametrize(
    "learned, value, index",
    [
        (["1", "2"], 2.0, 1),
        ([1, 2], "2.0", 1),
        ([True, False], "true", 1),
        (["true", "false"], True, 1),
        (["1", "2"], "2.0", -1),
        (["1", "01"], 1.0, -1),
        (["a", "b"], " b", -1),
        ([2**60, 2**60 + 1], 2**60 + 1, 1),
    ],
)
def test_a_number_is_the_label_of_its_value_and_a_text_that_of_its_letters(
    learned, value, index
):
    label = Label()
    label.adapt(learned)
    assert label.encode([value]).tolist() == [index]


@pytest.mark.parametrize(
    "cells",
    [
        ["a|b", "a", "c"],
        ["b; c", "a", "a; b", "c"],
        ['["a, b", "c"]', '["a, b"]', "[]"],
        ["['it', 'us']", "['us']"],
        ["[1, 20]", "[20]"],
        [["a|b", "c;"], ["a|b"]],
        [[1, 2], [2]],
    ],
)
def test_several_labels_come_back_as_the_cells_have_them(cells):
    labels = Labels()
    labels.adapt(cells)
    again = Labels.from_config(labels.config())
    encoded = again.encode(cells)
    assert again.known(encoded).all() and encoded.sum() > 0
    answers = again.decode(tf.constant(2 * encoded - 1), "y")["y"]
    right = [[str(x) for x in c] if isinstance(c, list) else c for c in cells]
    assert again.restore(answers) == right


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
        (Quantity(), "heavy", "not a finite number"),
        (Caption(4, ["ein"]), "ein ein ein ein", "not a caption of 1 to 3 words"),
        (Caption(4, ["ein"]), "!?", "not a caption of 1 to 3 words"),
        (Sounds(8_000), b"no sound", "."),
    ],
)
def test_says_why_a_model_cannot_learn_from_a_value(target, value, reason):
    assert re.search(reason, target.explain(value))
