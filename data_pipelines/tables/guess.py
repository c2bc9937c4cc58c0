"""The modality of a column, guessed from its name, its values and its files."""

import os
import re
from typing import NamedTuple

import polars as pl

from data_pipelines.formats import kinds
from data_pipelines.stores import spellings
from data_pipelines.tables import cell_text
from data_pipelines.tables.modality import FILES

_TEXT_NAMES = {
    "body", "caption", "comment", "description", "instruction", "message", "prompt",
    "question", "review", "sentence", "text", "title", "transcript", "utterance",
}  # fmt: skip
_ID_NAMES = {"id", "index", "key", "row", "uuid"}
_COUNTER_NAMES = _ID_NAMES | {
    "",
    "count",
    "counter",
    "i",
    "n",
    "no",
    "nr",
    "num",
    "number",
}
_SAMPLE = 200  # distinct values that are examined
_SHORTEST_COUNTER = 10  # rows that are counted; fewer numbers in order are chance
_LONGEST_VECTOR = 65_536  # numbers


class Guess(NamedTuple):
    """What a column holds.

    Args:
        modality: A key of `MODALITIES`. `"ignore"` for a column with nothing to learn
            from, or of a type that no preprocessor takes.
        reason: Why it is ignored, in words; empty for other modalities.
    """

    modality: str
    reason: str = ""


def guess(values: pl.Series, root: str | os.PathLike | None) -> str:
    """Guesses the modality of one column, see `look_at`."""
    return look_at(values, root).modality


def look_at(values: pl.Series, root: str | os.PathLike | None) -> Guess:
    """Guesses the modality of one column, with the reason if it is ignored.

    Args:
        values: The column.
        root: Folder of the files that cells may name, to read their first bytes; None
            if cells cannot name files.
    """
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    known = _drop_absent(values)
    if len(known) == 0:
        return Guess("ignore", "it is empty")
    if isinstance(values.dtype, pl.List):
        return _guess_lists(known)
    if isinstance(values.dtype, (pl.Struct, pl.Object)) or not _has_order(values.dtype):
        return Guess("ignore", _say_fields(values.dtype))
    if _is_constant(values, known):
        return Guess("ignore", "it has one value")
    kind = _majority(_kinds(known, root))
    if kind is not None:
        reason = "its cells are the names of files, which this table cannot read"
        return Guess("ignore", reason) if root is None else Guess(kind)
    if known.dtype == pl.Binary:
        return Guess("ignore", "its bytes are of an unknown kind")
    identifier = _find_identifier(values, known)
    if identifier:
        return Guess("ignore", identifier)
    if known.dtype.is_numeric() or known.dtype == pl.Duration:
        return Guess("number")
    if known.dtype == pl.Boolean:
        return Guess("category")
    return Guess("date") if known.dtype.is_temporal() else _guess_words(values, known)


def _guess_words(values, known):
    sample = _sample(known)
    if cell_text.are_dates(sample):
        return Guess("date")
    if cell_text.are_lists(sample) or cell_text.are_vectors(sample):
        return _guess_written_lists(sample)
    words = cell_text.count_words(sample).mean()
    if values.name.lower() in _TEXT_NAMES or words >= 3:
        return Guess("text")
    if known.n_unique() > max(20, len(values) / 2):
        if words >= 1.5:
            return Guess("text")
        return Guess("ignore", _say_distinct(values, known))
    return Guess("category")


def _say_distinct(values, known):
    numbers = known.str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.null_count() < len(known) / 2:
        other = known.filter(numbers.is_null())
        return (
            f"{len(known) - len(other)} of its {len(known)} cells are numbers, but "
            f"{other[0][:40]!r} is not: `--column {values.name}=number` reads the "
            "numbers alone"
        )
    if known.n_unique() == len(known):
        return "it has another value in every row, such as an identifier"
    return f"it has {known.n_unique()} different values in {len(values)} rows"


def _guess_written_lists(sample):
    if cell_text.are_vectors(sample):
        lengths = set(cell_text.count_numbers(sample).to_list())
        return Guess("vector") if len(lengths) == 1 else _say_lengths(lengths)
    if any(map(_kind_of_path, spellings.split_paths(sample[0]))):
        return Guess("ignore", _SEVERAL_FILES)
    words = sample.str.count_matches(r"[^\W\d_]{2,}").mean()
    if words >= 1:
        return Guess("text")
    return Guess("ignore", "its cells are lists of something else than numbers")


def _guess_lists(known):
    inner = known.dtype.inner
    if inner.is_numeric():
        lengths = set(known.list.len().unique().to_list())
        if len(lengths) > 1 or lengths & {0} or max(lengths) > _LONGEST_VECTOR:
            return _say_lengths(lengths)
        return Guess("vector")
    if inner == pl.String:
        paths = known.head(_SAMPLE).explode().drop_nulls()
        if _majority([_kind_of_path(path) for path in paths.head(_SAMPLE)]):
            return Guess("ignore", _SEVERAL_FILES)
        return Guess("text")
    if isinstance(inner, pl.Struct) and {f.name for f in inner.fields} >= {"path"}:
        return Guess("ignore", _SEVERAL_FILES)
    return Guess("ignore", f"its cells are lists of type {inner}")


_SEVERAL_FILES = (
    "a cell holds several files; give each file a column, or a row, of its own"
)


def _say_lengths(lengths):
    shortest, longest = min(lengths), max(lengths)
    return Guess("ignore", f"its lists have {shortest} to {longest} numbers")


def _has_order(dtype):
    return not dtype.is_nested() or isinstance(dtype, pl.List)


def _say_fields(dtype):
    if isinstance(dtype, pl.Struct):
        names = ", ".join(field.name for field in dtype.fields)
        return f"a cell holds several values ({names}); give each a column of its own"
    return f"its cells are of type {dtype}"


def _drop_absent(values):
    known = values.drop_nulls()
    if known.dtype == pl.Binary:
        return known.filter(known.bin.size() > 0)
    if known.dtype.is_float():
        return known.drop_nans()
    return known.filter(known != "") if known.dtype == pl.String else known


def _is_constant(values, known):
    if len(known) < len(values) or len(values) == 1:
        return False  # whether the cell is empty may say something
    # Most columns differ within the first few of a million values.
    return known.head(_SAMPLE).n_unique() == 1 and known.n_unique() == 1


def _find_identifier(values, known):
    """Why a column is an identifier, "" if it is not one."""
    if len(known) < len(values) or len(values) < 2:
        return ""
    counts = _last_word(values.name) in _COUNTER_NAMES and known.dtype.is_integer()
    if counts and _counts_rows(known):
        return "it counts the rows, as an identifier"
    is_text = known.dtype == pl.String
    if not _is_id_name(values.name) and not (
        is_text and cell_text.are_uuids(known.head(_SAMPLE))
    ):
        return ""
    if known.n_unique() < len(values) or not (is_text or known.dtype.is_integer()):
        return ""
    return "it has another value in every row, such as an identifier"


def _is_id_name(name):
    """Whether a column is called `id`, `user_id`, `userId`, `UserID` or the like."""
    return _last_word(name) in _ID_NAMES


def _last_word(name):
    """`"id"` of `user_id`, `userId` and `UserID`; `""` of `Unnamed: 0`."""
    if re.match(r"(unnamed|column)\W*\d*$", name.lower()):
        return ""
    return re.split(r"[^0-9A-Za-z]+|(?<=[a-z0-9])(?=[A-Z])", name)[-1].lower()


def _counts_rows(known):
    """Whether integers are 0, 1, 2 ... or 1, 2, 3 ... in the order of the rows."""
    if len(known) < _SHORTEST_COUNTER or known[0] not in (0, 1):
        return False
    if known[-1] - known[0] != len(known) - 1:
        return False
    return bool((known.cast(pl.Int64).diff().drop_nulls() == 1).all())


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
    by_suffix = _kind_of_path(cell)
    if root is None or (by_suffix is None and (len(cell) > 255 or "\n" in cell)):
        return by_suffix
    if spellings.is_link(os.fspath(root)):  # one request for each cell
        return by_suffix
    return kinds.read_kind(os.path.join(root, cell)) or by_suffix


def _kind_of_path(path):
    """The kind of file by its suffix; for an address, without its query."""
    path = re.split(r"[?#]", path)[0] if spellings.is_link(path) else path
    return kinds.kind_of_suffix(os.path.splitext(path.strip())[1])
