"""What a tokenizer is, as plain data."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from typing import Self


@dataclasses.dataclass(frozen=True)
class Spec:
    """A tokenizer without its tables.

    Attributes:
        kind: `"wordpiece"`, `"bpe"` (on bytes), `"bpe_of_characters"` or `"unigram"`.
        pieces: Pieces by id, None where an id has no piece.
        special: Ids that no text has, such as the one of `[CLS]`.
        normalizers: As in a `tokenizer.json`, without sequences.
        pre_tokenizers: As in a `tokenizer.json`, without sequences.
        before: Ids before those of each text.
        after: Ids after those of each text.
        padding: Id of padding.
        spaces: Ids of several spaces that are found before words are (GPT-NeoX).
        unknown: Id of what is not in the vocabulary, -1 for BPE on bytes.
        limit: The most ids of a text, those before and after it included, or None.
        prefix: What pieces that continue a word begin with (WordPiece).
        suffix: What the last piece of a word ends with (BPE).
        most: The most characters of a word (WordPiece).
        merges: Ids of left, right and joined piece, one after the other (BPE).
        whole: A word of the vocabulary is one piece, whatever its merges say (BPE).
        unreachable: Ids of pieces that are split themselves (BPE, Unigram).
        scores: Score by id (Unigram).
        of_bytes: Ids of the 256 bytes (BPE of characters).
    """

    kind: str
    pieces: list[str | None]
    special: list[int]
    normalizers: list[dict]
    pre_tokenizers: list[dict]
    before: list[int]
    after: list[int]
    padding: int
    spaces: list[int] = dataclasses.field(default_factory=list)
    unknown: int = -1
    limit: int | None = None
    prefix: str = "##"
    suffix: str = ""
    most: int = 100
    merges: list[int] = dataclasses.field(default_factory=list)
    whole: bool = False
    unreachable: list[int] = dataclasses.field(default_factory=list)
    scores: list[float] = dataclasses.field(default_factory=list)
    of_bytes: list[int] = dataclasses.field(default_factory=list)

    def ids(self) -> dict[str, int]:
        """Id by piece, without special ones and spaces."""
        special = {*self.special, *self.spaces}
        return {
            piece: id_
            for id_, piece in enumerate(self.pieces)
            if piece is not None and id_ not in special
        }

    def config(self) -> dict[str, Any]:
        """Everything, as plain data that JSON can hold."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """A name that differs from that of every other tokenizer."""
        text = json.dumps(self.config(), sort_keys=True)
        return f"subwords-{hashlib.sha256(text.encode()).hexdigest()}"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
