"""What a column of a table holds: by its name, its values, a look into its files."""

import os

import polars as pl

from data_pipelines.formats import kinds

MODALITIES = (
    "text", "image", "audio", "video", "points", "number", "category", "ignore"
)  # fmt: skip
_TEXT_NAMES = {
    "body", "caption", "comment", "description", "instruction", "message", "prompt",
    "question", "review", "sentence", "text", "title", "transcript", "utterance",
}  # fmt: skip
_ID_NAMES = {"id", "index", "key", "row", "uuid"}
_LOOK = 200  # values looked at to know a column


def guess(values, root):
    """Guesses the modality of one column.

    Args:
        values: A polars series.
        root: The table's folder, to look into the files it may name.

    Returns:
        One of `MODALITIES`; `"ignore"` for a column that says nothing: an identity,
        or one value in every row.
    """
    name = values.name.lower()
    known = values.drop_nulls()
    if len(known) == 0 or (len(known) == len(values) > 1 and _is_constant(known)):
        return "ignore"
    named_id = name in _ID_NAMES or name.endswith("_id")
    if named_id and known.n_unique() == len(values) > 1:
        return "ignore"
    if values.dtype == pl.Binary:
        return kinds.kind_of(known[0]) or "ignore"
    if values.dtype.is_numeric():
        return "number"
    if values.dtype == pl.Boolean:
        return "category"
    if values.dtype != pl.String:
        return "text"
    sample = _first_distinct(known)
    found = [_kind(value, root) for value in sample]
    for kind in ("image", "audio", "video", "points"):
        if found.count(kind) > len(found) / 2:
            return kind
    words = sample.str.count_matches(r"\S+").mean()
    if name in _TEXT_NAMES or words >= 3:
        return "text"
    if known.n_unique() > max(20, len(values) / 2):
        return "ignore" if words < 1.5 else "text"
    return "category"


def _is_constant(values):
    # Of a million values the first few tell most columns.
    return values.head(_LOOK).n_unique() == 1 and values.n_unique() == 1


def _first_distinct(values):
    few = values.head(50 * _LOOK).unique(maintain_order=True)
    if len(few) < _LOOK:
        few = values.unique(maintain_order=True)
    return few.head(_LOOK)


def _kind(value, root):
    """The kind of file that a cell names; by its suffix if that is all to go by."""
    suffix = os.path.splitext(value)[1].lower()
    suffixes = {
        "image": kinds.IMAGE_SUFFIXES,
        "audio": kinds.AUDIO_SUFFIXES,
        "video": kinds.VIDEO_SUFFIXES,
        "points": kinds.POINT_SUFFIXES,
    }
    named = [kind for kind, known in suffixes.items() if suffix in known]
    if not named and (len(value) > 255 or "\n" in value):
        return None
    return kinds.look(os.path.join(root, value)) or next(iter(named), None)
