"""The modality of a column, guessed from its name, its values and its files."""

import os

import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.tables.modality import FILES

_TEXT_NAMES = {
    "body", "caption", "comment", "description", "instruction", "message", "prompt",
    "question", "review", "sentence", "text", "title", "transcript", "utterance",
}  # fmt: skip
_ID_NAMES = {"id", "index", "key", "row", "uuid"}
_SAMPLE = 200  # distinct values that are examined


def guess(values: pl.Series, root: str | os.PathLike | None) -> str:
    """Guesses the modality of one column.

    Args:
        values: The column.
        root: Folder of the files that cells may name, to read their first bytes; None
            if cells cannot name files.

    Returns:
        A key of `MODALITIES`. `"ignore"` for a column with nothing to learn from: one
        value in every row, an identifier, or bytes of an unknown kind.
    """
    known = _drop_absent(values)
    if _is_constant(values, known):
        return "ignore"
    kind = _majority(_kinds(known, root))
    if kind is not None:
        return "ignore" if root is None else kind
    if known.dtype == pl.Binary:
        return "ignore"
    if known.dtype in (pl.Categorical, pl.Enum):
        values, known = values.cast(pl.String), known.cast(pl.String)
    if _is_identifier(values, known):
        return "ignore"
    if known.dtype.is_numeric():
        return "number"
    if known.dtype == pl.Boolean:
        return "category"
    return _guess_words(values, known) if known.dtype == pl.String else "text"


def _guess_words(values, known):
    words = _sample(known).str.count_matches(r"\S+").mean()
    if values.name.lower() in _TEXT_NAMES or words >= 3:
        return "text"
    if known.n_unique() > max(20, len(values) / 2):
        return "ignore" if words < 1.5 else "text"
    return "category"


def _drop_absent(values):
    known = values.drop_nulls()
    if known.dtype == pl.Binary:
        return known.filter(known.bin.size() > 0)
    return known.filter(known != "") if known.dtype == pl.String else known


def _is_constant(values, known):
    if len(known) == 0:
        return True
    if len(known) < len(values) or len(values) == 1:
        return False  # whether the cell is empty may say something
    # Most columns differ within the first few of a million values.
    return known.head(_SAMPLE).n_unique() == 1 and known.n_unique() == 1


def _is_identifier(values, known):
    name = values.name.lower()
    named = name in _ID_NAMES or name.endswith("_id")
    return named and known.n_unique() == len(values) > 1


def _sample(known):
    """The first distinct values."""
    first = known.head(50 * _SAMPLE).unique(maintain_order=True)
    if len(first) < _SAMPLE:
        first = known.unique(maintain_order=True)
    return first.head(_SAMPLE)


def _majority(found):
    """The kind of more than half of the values, None without a majority."""
    return next((k for k in FILES if found.count(k) > len(found) / 2), None)


def _kinds(known, root):
    """Kinds of the files that some cells name or hold, None for other cells."""
    if known.dtype == pl.Binary:  # to find distinct cells would hash whole files
        return [kinds.kind_of(cell[: kinds.HEAD]) for cell in known.head(_SAMPLE)]
    if known.dtype != pl.String:
        return []
    return [_kind_of_file(cell, root) for cell in _sample(known)]


def _kind_of_file(cell, root):
    """The kind of file that a cell names: by its bytes, else by its suffix."""
    by_suffix = kinds.kind_of_suffix(os.path.splitext(cell)[1])
    if root is None or (by_suffix is None and (len(cell) > 255 or "\n" in cell)):
        return by_suffix
    return kinds.read_kind(os.path.join(root, cell)) or by_suffix
