"""When each symbol of a text is heard, and each word."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np


class Word(NamedTuple):
    """A word and the steps in which it is heard.

    Args:
        ids: Its symbols.
        start: The first step.
        end: The step after the last.
    """

    ids: tuple[int, ...]
    start: int
    end: int


def align(log_p: Any, ids: Sequence[int]) -> np.ndarray:
    """The most probable alignment of a text.

        v_t(s) = p_t(l'_s) max(v_{t-1}(s), v_{t-1}(s-1), v_{t-1}(s-2))

    over the symbols with blanks around each, l'; the last one only for a symbol that
    differs from the one before.

    Source: Graves et al. 2006, "Connectionist Temporal Classification",
    https://doi.org/10.1145/1143844.1143891, section 4.1, with the maximum in place of
    the sum. Deviation: none.

    Args:
        log_p: `(steps, symbols)` log probabilities; symbol 0 is the blank.
        ids: The text.

    Returns:
        `(symbols of the text, 2)` int64, the first step of each and the step after its
        last one.

    Raises:
        ValueError: If the text needs more steps than there are.
    """
    log_p, text = np.asarray(log_p, "float64"), np.asarray(ids, "int64")
    needed = len(text) + int((text[1:] == text[:-1]).sum())
    if len(log_p) < needed:
        raise ValueError(
            f"Expected at least {needed} steps for the text. Received: {len(log_p)}."
        )
    if not len(text):
        return np.zeros((0, 2), "int64")
    symbols = np.zeros(2 * len(text) + 1, "int64")
    symbols[1::2] = text
    skips = np.zeros(len(symbols), bool)
    skips[3::2] = text[1:] != text[:-1]
    score = np.full(len(symbols), -np.inf)
    score[:2] = log_p[0, symbols[:2]]
    moves = np.zeros((len(log_p), len(symbols)), "int8")
    for t in range(1, len(log_p)):
        one = np.concatenate([[-np.inf], score[:-1]])
        two = np.concatenate([[-np.inf] * 2, score[:-2]])
        ways = np.stack([score, one, np.where(skips, two, -np.inf)])
        moves[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + log_p[t, symbols]
    position = len(symbols) - 1 - int(score[-2] >= score[-1])
    spans = np.zeros((len(text), 2), "int64")
    spans[:, 0] = len(log_p)
    for t in range(len(log_p) - 1, -1, -1):
        if position % 2:
            span = spans[position // 2]
            span[:] = t, max(span[1], t + 1)
        position -= int(moves[t, position])
    return spans


def word_spans(spans: Any, ids: Sequence[int], space: int) -> list[Word]:
    """The words of a text and when they are heard.

    Args:
        spans: What `align` returned.
        ids: The text.
        space: Id of the gap between two words; 0 for a text of one word.
    """
    words, start = [], 0
    for i in range(len(ids) + 1):
        if i == len(ids) or ids[i] == space:
            if i > start:
                first, last = int(spans[start][0]), int(spans[i - 1][1])
                words.append(Word(tuple(ids[start:i]), first, last))
            start = i + 1
    return words
