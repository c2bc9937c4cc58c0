"""Prefix beam search: the most probable text, summed over its alignments."""

import dataclasses
from typing import Any

import numpy as np

from mbm_keras.generation.ctc.language import Language


@dataclasses.dataclass(frozen=True)
class Found:
    """A text that a search found.

    Args:
        ids: Its symbols.
        score: Log probability of its alignments that the beam followed, and the scores
            of the language.
    """

    ids: list[int]
    score: float


class PrefixBeam:
    """Follows the best beginnings of a text, each summed over its alignments.

        p_b(y, t)  = p_t(blank) (p_b(y, t - 1) + p_nb(y, t - 1))
        p_nb(y, t) = p_t(e) p_nb(y, t - 1) + sum over y = z e of
                     p_t(e) (p_b(z, t - 1) + [z does not end in e] p_nb(z, t - 1))

    with e the last symbol of y. A beam ranks by the sum of both and by the language.

    Source: Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs", https://arxiv.org/abs/1408.2873,
    algorithm 1. Deviation: the scores of the language are those of `Language`.

    All beginnings and symbols of a step are one array operation.

    Args:
        num_beams: int >= 1, beginnings that are followed.
        language: A `Language`; None for the probabilities of the logits alone.
        cut: Symbols that are so much less probable in a step than its best one, as a
            logarithm, do not continue a text there. Infinite for none.
        sure: Steps whose blank is at least as probable continue no text. Above 1 for
            none.

    Raises:
        ValueError: If `num_beams` is below 1, or `cut` is not above 0.
    """

    def __init__(
        self,
        num_beams: int = 16,
        language: Language | None = None,
        cut: float = 8.0,
        sure: float = 0.9999,
    ):
        if num_beams < 1 or not cut > 0:
            raise ValueError(
                "Expected num_beams >= 1 and cut > 0. Received: "
                f"num_beams={num_beams}, cut={cut}."
            )
        self.num_beams, self.language, self.cut = num_beams, language, cut
        self.sure = np.log(sure)

    def __call__(self, log_p: Any) -> Found:
        """The best text.

        Args:
            log_p: `(steps, symbols)` log probabilities; symbol 0 is the blank.
        """
        return self.candidates(log_p)[0]

    def candidates(self, log_p: Any) -> list[Found]:
        """The texts that the beams end with, best first.

        Args:
            log_p: As for a call.
        """
        log_p = np.asarray(log_p, "float64")
        beams = _Beams(log_p.shape[1])
        for row in log_p:
            if row[0] >= self.sure:
                beams.stay(row)
                continue
            allowed = np.flatnonzero(row >= row.max() - self.cut)
            beams.extend(row, allowed[allowed > 0], self.num_beams, self.language)
        return beams.finish(self.language)


class _Beams:
    """Beginnings of texts as nodes of a tree, and the probabilities of the best.

    Attributes:
        node: `(beams,)`, the node of each.
        blank: `(beams,)`, log probability of its alignments that end with a blank.
        other: `(beams,)`, of those that end with its last symbol.
        state: `(beams,)`, state of the language.
        language: `(beams,)`, its score so far.
    """

    def __init__(self, symbols):
        self.child = np.full((256, symbols), -1, "int64")
        self.parent, self.symbol = [-1], np.zeros(256, "int64")
        self.node = np.zeros(1, "int64")
        self.blank, self.other = np.zeros(1), np.full(1, -np.inf)
        self.state = np.zeros(1, "int64")
        self.language = np.zeros(1)

    def stay(self, row):
        """A step that adds no symbol."""
        total = np.logaddexp(self.blank, self.other)
        last = self.symbol[self.node]
        self.other = np.where(last > 0, self.other + row[last], -np.inf)
        self.blank = total + row[0]

    def extend(self, row, allowed, num_beams, language):
        """A step that may add one of the allowed symbols."""
        total, before = np.logaddexp(self.blank, self.other), self.blank
        last = self.symbol[self.node]
        self.stay(row)
        # A symbol that repeats the last one has a blank before it.
        repeats = allowed[None] == last[:, None]  # (beams, allowed)
        longer = np.where(repeats, before[:, None], total[:, None]) + row[allowed]
        child = self.child[self.node][:, allowed]
        slots = np.full(len(self.parent) + 1, -1, "int64")
        slots[self.node] = np.arange(len(self.node))
        slot = slots[child]  # the last slot is of no node: child is -1 there
        rows, columns = np.nonzero(slot >= 0)
        # The longer text is among the beams: its probabilities are one sum.
        which = slot[rows, columns]
        self.other[which] = np.logaddexp(self.other[which], longer[rows, columns])
        longer[rows, columns] = -np.inf
        score = self.language[:, None]
        if language is not None:
            score = score + language.scores(self.state)[:, allowed]
        score = np.broadcast_to(score, longer.shape)
        self._choose(longer, score, child, allowed, num_beams, language)

    def _choose(self, longer, score, child, allowed, num_beams, language):
        """Keeps the best of the beams and of the longer texts."""
        number = len(self.node)
        stayed = np.logaddexp(self.blank, self.other) + self.language
        ranked = np.concatenate([stayed, (longer + score).reshape(-1)])
        best = np.arange(len(ranked))
        if len(ranked) > num_beams:
            best = np.argpartition(-ranked, num_beams - 1)[:num_beams]
        best = best[ranked[best] > -np.inf]
        old, new = best[best < number], best[best >= number] - number
        row, column = np.divmod(new, max(len(allowed), 1))
        symbol = allowed[column] if len(new) else new
        nodes = child[row, column] if len(new) else new
        for i in np.flatnonzero(nodes < 0):
            nodes[i] = self._add(self.node[row[i]], symbol[i])
        state = self.state[row]
        if language is not None and len(new):
            state = language.advance(state, symbol)
        nothing = np.full(len(new), -np.inf)
        self.other = np.concatenate([self.other[old], longer[row, column]])
        self.blank = np.concatenate([self.blank[old], nothing])
        self.language = np.concatenate([self.language[old], score[row, column]])
        self.state = np.concatenate([self.state[old], state])
        self.node = np.concatenate([self.node[old], nodes])

    def _add(self, parent, symbol):
        number = len(self.parent)
        if number == len(self.child):
            self.child = np.concatenate([self.child, np.full_like(self.child, -1)])
            self.symbol = np.concatenate([self.symbol, np.zeros_like(self.symbol)])
        self.parent.append(int(parent))
        self.symbol[number] = symbol
        self.child[parent, symbol] = number
        return number

    def finish(self, language):
        """Texts and scores, best first."""
        score = np.logaddexp(self.blank, self.other) + self.language
        if language is not None:
            score = score + language.ends(self.state)
        order = np.argsort(-score, kind="stable")
        return [Found(self._ids(self.node[i]), float(score[i])) for i in order]

    def _ids(self, node):
        ids = []
        while node > 0:
            ids.append(int(self.symbol[node]))
            node = self.parent[node]
        return ids[::-1]
