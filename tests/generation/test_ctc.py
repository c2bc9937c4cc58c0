"""Prefix beams, language models and alignments, against enumeration."""

import itertools
import json
import math

import numpy as np
import pytest

from mbm_keras.generation import ctc
from mbm_keras.generation.ctc.ngrams import END
from mbm_keras.generation.ctc.ngrams import START

TEXTS = ["ab a", "a ab", "b", "ab ab a"]
ALPHABET = "ab "
INFINITE = dict(num_beams=10_000, cut=math.inf, sure=2.0)


def random_log_p(steps, symbols, seed=0, spread=1.0):
    logits = np.random.default_rng(seed).normal(0, spread, (steps, symbols))
    return ctc.log_probabilities(logits)


def enumerated(log_p):
    """Log probability by text, summed over all alignments."""
    found = {}
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        text = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)
        score = log_p[range(len(path)), path].sum()
        found[text] = np.logaddexp(found.get(text, -np.inf), score)
    return found


def letters(order=3):
    ngrams = ctc.NGrams.learn(TEXTS, order)
    return ctc.LetterLanguage(ngrams, ALPHABET, weight=0.7, bonus=0.3)


def words(order=2):
    ngrams = ctc.NGrams.learn([text.split() for text in TEXTS], order)
    return ctc.WordLanguage(ngrams, ALPHABET, weight=0.7, bonus=0.3)


def letter_score(ids):
    ngrams, text = letters().ngrams, "".join(ALPHABET[i - 1] for i in ids)
    tokens = [START, START, *text, END]
    total = sum(ngrams.log_p(tokens[i], tokens[:i]) for i in range(2, len(tokens)))
    return 0.7 * total + 0.3 * len(text)


def word_score(ids):
    """Each word by the one before; an unknown one has its letters as well."""
    ngrams = words().ngrams
    total, before = 0.0, START
    for word in "".join(ALPHABET[i - 1] for i in ids).split(" "):
        if not word:
            continue  # two spaces
        is_known = word in ngrams.tokens
        log_p = ngrams.log_p(word if is_known else "", [before])
        log_p -= 0 if is_known else (len(word) + 1) * math.log(len(ALPHABET))
        total += 0.7 * log_p + 0.3
        before = word
    return total + 0.7 * ngrams.log_p(END, [before])


@pytest.mark.parametrize(
    "language, score", [(None, None), (letters, letter_score), (words, word_score)]
)
@pytest.mark.parametrize("seed", range(3))
def test_an_infinite_beam_is_the_enumeration(language, score, seed):
    log_p = random_log_p(5, 4 if language else 3, seed)
    right = enumerated(log_p)
    if score is not None:
        right = {ids: value + score(ids) for ids, value in right.items()}
    beam = ctc.PrefixBeam(language=language and language(), **INFINITE)
    found = {tuple(one.ids): one.score for one in beam.candidates(log_p)}
    assert found.keys() == right.keys()
    for ids, value in right.items():
        assert found[ids] == pytest.approx(value, abs=1e-6)
    scores = [one.score for one in beam.candidates(log_p)]
    assert scores == sorted(scores, reverse=True)


def test_the_best_path_is_not_always_the_most_probable_text():
    log_p = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert ctc.greedy(log_p) == []
    assert ctc.PrefixBeam(**INFINITE)(log_p).ids == [1]


def test_a_narrow_beam_finds_what_is_clear():
    best = np.random.default_rng(0).integers(0, 6, 40)
    log_p = ctc.log_probabilities(6.0 * np.eye(6)[best])
    assert ctc.PrefixBeam(4)(log_p).ids == ctc.greedy(log_p)


def test_a_language_decides_between_sounds_that_are_alike():
    ngrams = ctc.NGrams.learn([["ab"]] * 9, 1)
    language = ctc.WordLanguage(ngrams, ALPHABET, weight=1.0)
    log_p = np.log(np.array([[0.02, 0.94, 0.02, 0.02], [0.02, 0.5, 0.46, 0.02]]))
    assert ctc.PrefixBeam(**INFINITE)(log_p).ids == [1]
    assert ctc.PrefixBeam(language=language, **INFINITE)(log_p).ids == [1, 2]


@pytest.mark.parametrize("history", [(), ("a",), ("b", "a"), ("x", "y"), (START,)])
def test_the_next_token_is_one_of_those_that_are_known_or_not(history):
    ngrams = ctc.NGrams.learn(TEXTS, 3)
    total = sum(ngrams.probability(t, history) for t in (*ngrams.tokens, END, "new"))
    assert total == pytest.approx(1)


def test_counts_decide_what_comes_next():
    ngrams = ctc.NGrams.learn(["ab", "ab", "ac"], 2)
    # Three of a, and one kind of each token: (3 + 4 / 5) / (9 + 4) ...
    one = (2 + 4 / 5) / (9 + 4)
    assert ngrams.probability("b", ["a"]) == pytest.approx((2 + 2 * one) / (3 + 2))
    again = ctc.NGrams.from_config(json.loads(json.dumps(ngrams.config())))
    assert again.counts == ngrams.counts and again.order == 2
    few = ctc.NGrams.learn(["ab", "ab", "ac"], 2, most=5)
    assert len(few.counts) == 5 and few.tokens == ["a", "b", "c"]


def test_an_alignment_is_the_best_of_all():
    for seed, ids in enumerate(([1, 1], [1, 2, 1], [2], [1, 2])):
        log_p = random_log_p(5, 3, seed)
        best = max(
            (
                path
                for path in itertools.product(range(3), repeat=5)
                if [s for s, _ in itertools.groupby(path) if s] == ids
            ),
            key=lambda path: log_p[range(5), path].sum(),
        )
        rebuilt = np.zeros(5, int)
        for symbol, (start, end) in zip(ids, ctc.align(log_p, ids), strict=True):
            rebuilt[start:end] = symbol
        assert rebuilt.tolist() == list(best)


def test_a_word_lasts_from_its_first_letter_to_its_last():
    ids = [1, 2, 3, 3, 1]  # 3 is the space
    spans = [[1, 3], [4, 5], [6, 7], [8, 9], [9, 12]]
    assert ctc.word_spans(spans, ids, 3) == [((1, 2), 1, 5), ((1,), 9, 12)]
    assert ctc.word_spans([], [], 3) == []


def test_what_makes_no_sense_is_an_error():
    with pytest.raises(ValueError, match="num_beams >= 1 and cut > 0.*num_beams=0"):
        ctc.PrefixBeam(0)
    with pytest.raises(ValueError, match="at least 3 steps.*Received: 2"):
        ctc.align(random_log_p(2, 3), [1, 1])
    with pytest.raises(ValueError, match="texts to learn from.*n-grams=0"):
        ctc.NGrams.learn([])
    with pytest.raises(ValueError, match="an alphabet with a space"):
        ctc.WordLanguage(ctc.NGrams.learn([["ab"]]), "ab")


def test_a_recording_without_a_step_has_no_text():
    log_p = ctc.log_probabilities(np.zeros((4, 3)))
    assert log_p.shape == (0, 3) and ctc.greedy(log_p) == []
    assert ctc.PrefixBeam(4, letters())(np.zeros((0, 4))).ids == []
    assert len(ctc.align(log_p, [])) == 0
