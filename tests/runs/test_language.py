"""How much the language of a recognizer counts, by rows that nothing learned from."""

import numpy as np
import pytest

from mbm_keras.generation import ctc
from mbm_keras.metrics import error_rates
from mbm_keras.preprocessing import Transcript
from mbm_keras.runs import language

TARGET = Transcript(" ab", 40)
TEXTS = ["b b", "b", "a b", "b b b", "b a"]
SAID = ["a b a b a", "b a a b", "a a a"]


def unsure(text):
    """Log probabilities of a recording whose letters are less sure than blanks."""
    rows = []
    for letter in text:
        heard = np.full(4, 0.02)
        heard[TARGET.alphabet.index(letter) + 1], heard[0] = 0.45, 0.51
        rows += [heard, [0.94, 0.02, 0.02, 0.02]]
    return np.log(rows)


@pytest.fixture
def learned(monkeypatch):
    rows = [unsure(text) for text in SAID], SAID
    monkeypatch.setattr(language, "_some_rows", lambda *arguments: rows)
    return language.learn_language(TEXTS, TARGET, None, None, "text")


def wrong_words(learned):
    beam = ctc.PrefixBeam(8, language.build_language(learned, "words", TARGET.alphabet))
    heard = [language._to_text(beam(unsure(text)).ids, TARGET) for text in SAID]
    return error_rates(heard, SAID)["wer"]


def test_words_that_are_left_out_are_found_by_a_bonus(learned):
    words = learned["kinds"]["words"]
    assert words["bonus"] > words["weight"] > 0
    assert wrong_words(learned) == pytest.approx(words["wer"])
    plain = {**words, "bonus": words["weight"]}
    assert words["wer"] < wrong_words({**learned, "kinds": {"words": plain}})
