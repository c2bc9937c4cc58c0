"""Language models as a prefix beam asks them: a score for every next symbol.

A state is a number. Its scores are computed when it is first asked for, and kept.
"""

import abc
import math
from typing import Protocol
from typing import runtime_checkable

import numpy as np

from mbm_keras.generation.ctc.ngrams import END
from mbm_keras.generation.ctc.ngrams import START
from mbm_keras.generation.ctc.ngrams import NGrams


@runtime_checkable
class Language(Protocol):
    """Scores of the symbols that may come next. State 0 is the beginning of a text."""

    def scores(self, states: np.ndarray) -> np.ndarray:
        """`(n, symbols)`, to be added to the log probability of a text by symbol."""
        ...

    def advance(self, states: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """`(n,)` int64, the state after a state and a symbol."""
        ...

    def ends(self, states: np.ndarray) -> np.ndarray:
        """`(n,)`, the score of the end of the text."""
        ...


class _Automaton(abc.ABC):
    """States by what they are, with their scores in rows of one array."""

    def __init__(self, alphabet, first):
        self.alphabet = list(alphabet)
        self._ids = {first: 0}
        self._whats = [first]
        self._scores = np.zeros((64, len(self.alphabet) + 1))
        self._ends = np.zeros(64)
        self._next = np.full((64, len(self.alphabet) + 1), -1, "int64")
        self._fill(0)

    def scores(self, states: np.ndarray) -> np.ndarray:
        """See `Language`."""
        return self._scores[states]

    def ends(self, states: np.ndarray) -> np.ndarray:
        """See `Language`."""
        return self._ends[states]

    def advance(self, states: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """See `Language`."""
        found = self._next[states, symbols]
        for i in np.flatnonzero(found < 0):
            state, symbol = int(states[i]), int(symbols[i])
            what = self._step(self._whats[state], self.alphabet[symbol - 1])
            self._next[state, symbol] = found[i] = self._state_of(what)
        return found

    def _state_of(self, what):
        if what not in self._ids:
            number = self._ids[what] = len(self._whats)
            self._whats.append(what)
            if number == len(self._scores):
                self._scores, self._ends = (
                    np.concatenate([x, np.zeros_like(x)])
                    for x in (self._scores, self._ends)
                )
                more = np.full_like(self._next, -1)
                self._next = np.concatenate([self._next, more])
            self._fill(number)
        return self._ids[what]

    @abc.abstractmethod
    def _step(self, what, letter):
        """What a state is after a letter."""

    @abc.abstractmethod
    def _score(self, what):
        """Scores of the letters, and of the end of the text."""

    def _fill(self, number):
        row, self._ends[number] = self._score(self._whats[number])
        self._scores[number, 1:] = row


class LetterLanguage(_Automaton):
    """Letters by the letters before them.

        score = weight * log p(letter | letters before) + bonus

    Source: Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs", https://arxiv.org/abs/1408.2873,
    section 3.2. Deviation: for letters, where the paper has words.

    Args:
        ngrams: Learned from texts as strings.
        alphabet: The character of id 1, 2, ...
        weight: float >= 0, how much the language counts.
        bonus: For each letter, against texts that are too short.
    """

    def __init__(
        self, ngrams: NGrams, alphabet: str, weight: float = 0.5, bonus: float = 0.5
    ):
        self.ngrams, self.weight, self.bonus = ngrams, weight, bonus
        super().__init__(alphabet, (START,) * (ngrams.order - 1))

    def _step(self, history, letter):
        size = self.ngrams.order - 1
        return (*history, letter)[1:] if size else ()

    def _score(self, history):
        def score(letter):
            return self.weight * self.ngrams.log_p(letter, history)

        row = [score(letter) + self.bonus for letter in self.alphabet]
        return row, score(END)


class WordLanguage(_Automaton):
    """Words by the words before them; a word is foreseen while it is spelled.

        score of a word = weight * log p(word | words before) + bonus

    Until a word ends, its letters have the score of the most frequent word that begins
    with them, so that a beam does not keep what becomes no word. At its end the word
    has its own score and nothing else. A word that no text has is an unknown one,
    spelled by letters that are equally probable.

    Source: as for `LetterLanguage`; the scores of beginnings: Ortmanns et al. 1996,
    "Language-model look-ahead for large vocabulary speech recognition",
    https://doi.org/10.1109/ICSLP.1996.607215. Deviation: single words look ahead.

    Args:
        ngrams: Learned from texts as lists of words.
        alphabet: The character of id 1, 2, ..., a space among them.
        weight: float >= 0, how much the language counts.
        bonus: For each word, against texts that are too short.

    Raises:
        ValueError: If the alphabet has no space.
    """

    def __init__(
        self, ngrams: NGrams, alphabet: str, weight: float = 0.5, bonus: float = 1.0
    ):
        if " " not in alphabet:
            raise ValueError(
                f"Expected an alphabet with a space. Received: {''.join(alphabet)!r}."
            )
        self.ngrams, self.weight, self.bonus = ngrams, weight, bonus
        self._letter = -math.log(len(alphabet))  # of a word that is not known
        self._unknown = math.log(ngrams.probability("", ()))
        self._best: dict[str, float] = {}
        for word in ngrams.tokens:
            p = ngrams.log_p(word, ())
            for size in range(len(word) + 1):
                best = self._best.get(word[:size], -math.inf)
                self._best[word[:size]] = max(best, p)
        self._words = set(ngrams.tokens)
        super().__init__(alphabet, ((START,) * (ngrams.order - 1), ""))

    def _step(self, state, letter):
        history, word = state
        if letter != " ":
            return history, word + letter
        return self._after(history, word), ""

    def _after(self, history, word):
        return (*history, word)[1:] if self.ngrams.order > 1 and word else history

    def _score(self, state):
        history, word = state
        before = self._foreseen(word)
        end = self._word(history, word) - before if word else 0.0
        row = [
            end if letter == " " else self._foreseen(word + letter) - before
            for letter in self.alphabet
        ]
        last = self.weight * self.ngrams.log_p(END, self._after(history, word))
        return row, end + last

    def _foreseen(self, word):
        """The score of the best word that begins so; 0 before its first letter."""
        if not word:
            return 0.0
        unknown = self._unknown + len(word) * self._letter
        return self.weight * self._best.get(word, unknown)

    def _word(self, history, word):
        if word in self._words:
            return self.weight * self.ngrams.log_p(word, history) + self.bonus
        p = self.ngrams.log_p("", history) + (len(word) + 1) * self._letter
        return self.weight * p + self.bonus
