"""What a column of a table holds: by its name, its values, a look into its files."""

import os

import polars as pl

from data_pipelines import files

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
    distinct = known.n_unique()
    if len(known) == 0 or (distinct == 1 and len(known) == len(values) > 1):
        return "ignore"
    everyone_differs = distinct == len(values) > 1
    if everyone_differs and (name in _ID_NAMES or name.endswith("_id")):
        return "ignore"
    if values.dtype == pl.Binary:
        return files.kind_of(known[0]) or "ignore"
    if values.dtype.is_numeric():
        return "number"
    if values.dtype == pl.Boolean:
        return "category"
    if values.dtype != pl.String:
        return "text"
    sample = known.unique(maintain_order=True).head(_LOOK)
    kinds = [_kind(value, root) for value in sample]
    for kind in ("image", "audio", "video", "points"):
        if kinds.count(kind) > len(kinds) / 2:
            return kind
    words = sample.str.count_matches(r"\S+").mean()
    if name in _TEXT_NAMES or words >= 3:
        return "text"
    if distinct > max(20, len(values) / 2):
        return "ignore" if words < 1.5 else "text"
    return "category"


def _kind(value, root):
    """The kind of file that a cell names; by its suffix if that is all to go by."""
    suffix = os.path.splitext(value)[1].lower()
    suffixes = {
        "image": files.IMAGE_SUFFIXES,
        "audio": files.AUDIO_SUFFIXES,
        "video": files.VIDEO_SUFFIXES,
        "points": files.POINT_SUFFIXES,
    }
    named = [kind for kind, known in suffixes.items() if suffix in known]
    if not named and (len(value) > 255 or "\n" in value):
        return None
    return files.look(os.path.join(root, value)) or next(iter(named), None)
