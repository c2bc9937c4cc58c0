"""Scores of captions, computed by hand."""

import math

import pytest

from mbm_keras.metrics import caption_scores
from mbm_keras.metrics.captions import cider

REFERENCES = [["a red ring", "the red ring is here"], ["two blue dots lie there"]]


def test_the_words_of_a_reference_have_the_best_scores():
    scores = caption_scores(["a red ring", "two blue dots lie there"], REFERENCES)
    for name in ("bleu_1", "bleu_2", "bleu_3", "rouge_l"):
        assert scores[name] == pytest.approx(1.0)


def test_bleu_by_hand():
    scores = caption_scores(["the red red ring"], [["the red ring", "a red red dot"]])
    # Words: the 1, red 2 (of the second), ring 1. Pairs: the red, red red, red ring.
    assert scores["bleu_1"] == pytest.approx(1.0)
    assert scores["bleu_2"] == pytest.approx(1.0)
    short = caption_scores(["red"], [["a red ring"]])
    assert short["bleu_1"] == pytest.approx(math.exp(1 - 3))  # too short by two


def test_a_caption_has_no_longer_n_gram_than_itself():
    said = ["a dog", "a red ring left of a dot", "cat"]
    scores = caption_scores(said, [["a dog"], ["a red ring left of a dot"], ["cat"]])
    # Words, pairs and so on of all captions together: all are right.
    assert [scores[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx([1.0] * 4)
    said[0] = "the dog"  # of 10 words 9 are right; of 7 pairs 6; of 5 and 4 all
    scores = caption_scores(said, [["a dog"], ["a red ring left of a dot"], ["cat"]])
    expected = [(9 / 10 * right) ** (1 / n) for n, right in ((1, 1), (2, 6 / 7))]
    expected += [(9 / 10 * 6 / 7) ** (1 / n) for n in (3, 4)]
    assert [scores[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(expected)


def test_rouge_uses_the_best_reference():
    scores = caption_scores(["a b c d"], [["x", "a c d e f"]])
    precision, recall = 3 / 4, 3 / 5
    harmonic_mean = 2 * precision * recall / (precision + recall)
    assert scores["rouge_l"] == pytest.approx(harmonic_mean)


def test_cider_by_hand():
    captions = [["a", "ring"], ["a", "dot"]]
    references = [[["a", "ring"]], [["a", "ball"]]]
    # "a" is in the references of both images: weight log 2 - log 2 = 0. The first
    # caption equals its reference: 1 for single words and pairs; there are no longer
    # n-grams. The second has no word with a weight in common with its reference.
    assert cider(captions, references) == pytest.approx(10 * (1 + 1) / 4 / 2)
    longer = [["a", "ring", "ring"], ["a", "dot"]]
    # min(2, 1) * 1 / (2 * 1) for single words; pairs: one of two, "a ring", is right.
    pairs = 1 / math.sqrt(2)
    right = 10 * (0.5 + pairs) / 4 * math.exp(-1 / 72) / 2
    assert cider(longer, references) == pytest.approx(right)


def test_words_may_have_any_letters():
    scores = caption_scores(["ein rotes Häuschen"], [["ein rotes Häuschen"]])
    assert scores["rouge_l"] == scores["bleu_3"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        (["a"], [], "1 captions, 0 lists"),
        ([], [], "0 captions"),
        (["a", "b"], [["a"], []], r"none for the captions \[1\]"),
    ],
)
def test_missing_references_are_an_error(captions, references, message):
    with pytest.raises(ValueError, match=message):
        caption_scores(captions, references)
