"""Error rates of transcripts, against figures of jiwer 4.0."""

import math

import numpy as np
import pytest

from mbm_keras.metrics import count_errors
from mbm_keras.metrics import edit_distance
from mbm_keras.metrics import error_rates

SAID = [
    "one two three",
    "a b",
    "rubout g m e f three nine",
    "the cat sat on the mat",
]
WER, CER = 0.4444444444444444, 0.2857142857142857
HEARD = ["one three", "a b c", "rubout gene f three nine", "a cat on the the mat"]


def recursive(one, other):
    if not one or not other:
        return max(len(one), len(other))
    return min(
        recursive(one[1:], other) + 1,
        recursive(one, other[1:]) + 1,
        recursive(one[1:], other[1:]) + (one[0] != other[0]),
    )


def test_the_distance_is_that_of_the_recursion():
    rng = np.random.default_rng(0)
    for _ in range(40):
        one, other = ("".join(rng.choice(list("ab"), rng.integers(0, 6))) for _ in "12")
        assert edit_distance(one, other) == recursive(one, other)


def test_rates_are_those_of_jiwer():
    rates = error_rates(HEARD, SAID)
    assert rates["wer"] == pytest.approx(WER)
    assert rates["cer"] == pytest.approx(CER)
    for name in ("wer", "cer"):
        assert 0 <= rates[f"{name}_low"] <= rates[name] <= rates[f"{name}_high"]


def test_rows_of_a_speaker_are_drawn_together():
    texts, said = ["a"] * 20 + ["b"] * 20, ["a"] * 40
    alone = error_rates(texts, said)
    together = error_rates(texts, said, [0] * 20 + [1] * 20)
    assert together["wer_low"] == 0 and together["wer_high"] == 1
    assert 0.2 < alone["wer_low"] and alone["wer_high"] < 0.8


def test_there_may_be_no_word():
    assert math.isnan(error_rates([""], [""])["wer"])
    assert count_errors(["a b"], [""])["word_errors"].tolist() == [2]


def test_another_number_of_references_is_an_error():
    with pytest.raises(ValueError, match="texts=1, references=2"):
        count_errors(["a"], ["a", "b"])
