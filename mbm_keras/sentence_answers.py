"""What a model says of a sentence, in one row of numbers: where is which.

    intents   a logit for each
    margins   how far the sentence is within the scope, by each of `SCOPES`: below 0 it
              is outside
    loss      minus the log probability of the right tags, of a model that was given
              them; else 0
    words     three numbers for each word: the id of its tag, from 1 on, 0 for no word;
              the probability of that tag; and that of it and the tag before

A model without intents, or without tags, has none of what belongs to them.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import runtime_checkable

SCOPES = ("probability", "energy", "mahalanobis")
PER_WORD = 3


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the parts of an answer are.

    Args:
        num_intents: Number of intents, 0 without.
        num_tags: Number of tags, 0 without.
    """

    num_intents: int
    num_tags: int

    def size(self, steps: int) -> int:
        """The length of a row.

        Args:
            steps: Number of words, padding included.
        """
        return self._words + PER_WORD * steps * (self.num_tags > 0)

    @property
    def _loss(self):
        return self.num_intents + len(SCOPES) * (self.num_intents > 0)

    @property
    def _words(self):
        return self._loss + (self.num_tags > 0)

    def intents(self, row: Any) -> Any:
        """Logits `(batch, num_intents)`, of `(batch, size)` answers of any library."""
        return row[:, : self.num_intents]

    def margins(self, row: Any) -> Any:
        """`(batch, 3)`, in the order of `SCOPES`."""
        return row[:, self.num_intents : self._loss]

    def loss(self, row: Any) -> Any:
        """`(batch, 1)`."""
        return row[:, self._loss : self._words]

    def tags(self, row: Any) -> Any:
        """`(batch, steps)`, ids as floats."""
        return row[:, self._words :: PER_WORD]

    def probabilities(self, row: Any) -> Any:
        """`(batch, steps)`, of the tag of each word."""
        return row[:, self._words + 1 :: PER_WORD]

    def pairs(self, row: Any) -> Any:
        """`(batch, steps)`, of the tag of each word and the one before."""
        return row[:, self._words + 2 :: PER_WORD]


@runtime_checkable
class DecodesRows(Protocol):
    """A target whose answers refer to the raw values, such as words of a text."""

    def decode_rows(
        self, outputs: Any, name: str, raw: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What `mbm_keras.preprocessing.Target.decode` returns, and more, in a graph.

        Args:
            outputs: `(batch, ...)`, what the model returns.
            name: Name of the output.
            raw: Raw values `(batch,)` by name of the column.
        """
        ...

    def columns_of(
        self, answers: Mapping[str, Any], name: str
    ) -> dict[str, Sequence[Any]]:
        """Columns that a table of predictions has more than others, by their names.

        Args:
            answers: What `decode_rows` returned, as arrays.
            name: Name of the output.
        """
        ...
