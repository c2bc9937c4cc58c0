"""Counts of letters or words in a row, and what they say about the next one."""

import collections
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

START, END = "\x02", "\x03"  # before the first token of a text, and after the last
_JOIN = "\x1f"


class NGrams:
    """Probabilities of the next token by the tokens before it, learned from texts.

        p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h))

    with c the counts, t(h) how many different tokens follow h, and h' the history
    without its first token. Below a single token, every token that is known and one
    that is not are equally probable.

    Source: Witten and Bell 1991, "The zero-frequency problem",
    https://doi.org/10.1109/18.87000, method C; interpolated as in Chen and Goodman
    1999, https://doi.org/10.1006/csla.1999.0128, section 2.5. Deviation: none.

    Args:
        order: int >= 1, tokens of the longest n-gram.
        counts: How often an n-gram was seen, by its tokens; those of the beginning and
            the end of a text included.

    Raises:
        ValueError: If the order is below 1, or nothing was seen.
    """

    def __init__(self, order: int, counts: Mapping[tuple[str, ...], int]):
        if order < 1 or not counts:
            raise ValueError(
                "Expected order >= 1 and texts to learn from. Received: "
                f"order={order}, n-grams={len(counts)}."
            )
        self.order = order
        self.counts = dict(counts)
        self.tokens = sorted({gram[-1] for gram in counts} - {START, END})
        self._followers: dict[tuple[str, ...], dict[str, int]] = {}
        for gram, count in self.counts.items():
            self._followers.setdefault(gram[:-1], {})[gram[-1]] = count
        self._totals = {h: sum(f.values()) for h, f in self._followers.items()}

    @classmethod
    def learn(
        cls, texts: Iterable[Sequence[str]], order: int = 3, most: int = 200_000
    ) -> Self:
        """Counts the n-grams of texts.

        Args:
            texts: Each a sequence of tokens: a string for letters, a list of words.
            order: int >= 1.
            most: N-grams that are kept: all of single tokens, and of longer ones the
                most frequent.
        """
        counts: collections.Counter = collections.Counter()
        for text in texts:
            tokens = (*[START] * (order - 1), *text, END)
            for i in range(order - 1, len(tokens)):
                for size in range(1, order + 1):
                    counts[tokens[i + 1 - size : i + 1]] += 1
        if len(counts) > most:
            ranked = sorted(counts.items(), key=lambda x: (len(x[0]) > 1, -x[1], x[0]))
            counts = collections.Counter(dict(ranked[:most]))
        return cls(order, counts)

    def probability(self, token: str, history: Sequence[str]) -> float:
        """Probability of a token after others, of which the last ones count.

        Args:
            token: The token, or `END`.
            history: The tokens before it, `START` before the first ones.
        """
        history = tuple(history)[max(0, len(history) - self.order + 1) :]
        p = 1.0 / (len(self.tokens) + 2)  # the end, and one that is not known
        for size in range(len(history) + 1):
            before = history[len(history) - size :]
            followers = self._followers.get(before)
            if followers is None:
                break  # no longer history was seen either
            total, kinds = self._totals[before], len(followers)
            p = (followers.get(token, 0) + kinds * p) / (total + kinds)
        return p

    def log_p(self, token: str, history: Sequence[str]) -> float:
        """Natural logarithm of `probability`."""
        return math.log(self.probability(token, history))

    def config(self) -> dict[str, Any]:
        """What `from_config` needs, as plain data that JSON can hold."""
        counts = {_JOIN.join(gram): count for gram, count in self.counts.items()}
        return {"order": self.order, "counts": counts}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Builds it from what `config` returned."""
        counts = {tuple(k.split(_JOIN)): n for k, n in config["counts"].items()}
        return cls(config["order"], counts)
