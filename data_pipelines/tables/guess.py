"""The modality of a column, guessed from its name, its values and its files."""

import os

import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.formats.text import decode_utf8
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
        A key of `MODALITIES`. `"ignore"` for a column with nothing to learn from: an
        identifier, one value in every row, or bytes of an unknown kind.
    """
    known = _drop_absent(values)
    if _is_constant(values, known) or _is_identifier(values, known):
        return "ignore"
    if known.dtype == pl.Binary:
        first = known.head(_SAMPLE)  # to find distinct ones would hash whole files
        kind = _majority([kinds.kind_of(cell[: kinds.HEAD]) for cell in first])
        if kind is not None:
            return "ignore" if root is None else kind
        # TensorFlow gives text as bytes; None where a cell is not valid UTF-8.
        num_known = len(known)
        values = decode_utf8(values)
        known = _drop_absent(values)
        if len(known) <= num_known / 2:
            return "ignore"
    if known.dtype in (pl.Categorical, pl.Enum):
        values, known = values.cast(pl.String), known.cast(pl.String)
    if known.dtype.is_numeric():
        return "number"
    if known.dtype == pl.Boolean:
        return "category"
    if known.dtype != pl.String:
        return "text"
    return _guess_strings(values, known, root)


def _guess_strings(values, known, root):
    sample = _sample(known)
    kind = _majority([_file_kind(value, root) for value in sample])
    if kind is not None:
        return "ignore" if root is None else kind
    words = sample.str.count_matches(r"\S+").mean()
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
    """The kind of more than half of the values, None if there is none."""
    return next((k for k in FILES if found.count(k) > len(found) / 2), None)


def _file_kind(value, root):
    """The kind of file that a cell names: by its bytes, else by its suffix."""
    by_suffix = kinds.kind_of_suffix(os.path.splitext(value)[1])
    if root is None or (by_suffix is None and (len(value) > 255 or "\n" in value)):
        return by_suffix
    return kinds.read_kind(os.path.join(root, value)) or by_suffix
