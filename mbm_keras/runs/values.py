"""What happened to the values of a table: missing, filled, cut, unknown."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "cut": "{cut} of {rows} rows are longer than {limit}: the end is cut",
    "filled": "{filled} of {rows} rows have no number: the mean is used",
    "unknown": "{unknown} of {rows} rows have an unknown category: training has none",
    "missing": "{missing} of {rows} rows are empty",
    "corrupt": "{corrupt} of {rows} rows cannot be read, and count as empty",
}


def describe_values(table: Any, features: Any, samples: Any) -> dict[str, dict]:
    """Counts what was missing, filled, cut or unknown, by column.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: The preprocessors.
        samples: `Samples` or `Stream` of its good rows, the ones that are counted.

    Returns:
        By name of a column, a dict of `rows` and the counts that are not zero:
        `missing`; `corrupt`, values that cannot be read and count as empty; `cut`,
        values that are longer than `limit`; `filled`, missing numbers; `unknown`,
        categories that training has not seen.
    """
    import numpy as np

    from data_pipelines.decoding.status import ABSENT
    from data_pipelines.decoding.status import CORRUPT

    good, found = np.isin(table.rows, samples.ids), {}
    part = table.take(good)
    for key, names in features.columns().items():
        preprocessor = features.by_key[key]
        if isinstance(preprocessor.raw, dict):
            found |= {name: _count_cells(part, preprocessor, name) for name in names}
            continue
        status, cut = samples.status[key], samples.cut.get(key)
        counts: dict[str, Any] = {
            "missing": int((status == ABSENT).sum()),
            "corrupt": int((status == CORRUPT).sum()),
        }
        if cut is not None and cut.any():
            counts |= {"cut": int(cut.sum()), "limit": limit_of(preprocessor)}
        found[names[0]] = counts
    return {
        name: {"rows": len(samples), **{k: n for k, n in counts.items() if n}}
        for name, counts in found.items()
        if any(counts.values())
    }


def limit_of(preprocessor: Any) -> str:
    """The length of a preprocessor's arrays, in words."""
    from data_pipelines.protocols import LimitsSteps

    if isinstance(preprocessor, LimitsSteps):
        return f"{preprocessor.sequence_length} words"
    return f"{preprocessor.seconds:g} seconds"


def find_unknown(table: Any, features: Any) -> dict[str, Any]:
    """The rows with a category that training has not seen.

    Args:
        table: A `Table`.
        features: The preprocessors.

    Returns:
        By name of a category column, `(rows,)` bool.
    """
    found = {}
    for preprocessor in features.by_key.values():
        if isinstance(preprocessor.raw, dict):
            for name, category in preprocessor.categories.items():
                found[name] = category.find_unknown(table.raw(name))
    return found


def value_lines(values: dict[str, dict]) -> list[str]:
    """`describe_values` as sentences, one for each count."""
    return [
        f"{name}: {words.format(**counts)}"
        for name, counts in values.items()
        for kind, words in _WORDS.items()
        if kind in counts
    ]


def unused_columns(table: Any, saved: Any, reasons: Mapping[str, str]) -> dict:
    """The columns of a table that a run does not read, with the reason.

    Args:
        table: A `Table`.
        saved: A `mbm_keras.runs.folder.Saved`.
        reasons: Reasons by name of a column that training left out.
    """
    used = {table.source_column(name) for name in saved.columns}
    learned = [*saved.targets, *saved.plan.further_targets]
    reasons = {**reasons, **dict.fromkeys(learned, "it is the target")}
    return {
        name: reasons.get(name, "the run was trained without it")
        for name in table.frame.columns
        if name not in used
    }


def _count_cells(table, preprocessor, name):
    import numpy as np
    import tensorflow as tf

    cells = table.raw(name)
    if name in preprocessor.categories:
        unknown = preprocessor.categories[name].find_unknown(cells)
        return {"missing": int((cells == "").sum()), "unknown": int(unknown.sum())}
    if cells.dtype.kind != "f":
        _, valid = preprocessor.dates[name].decode(tf.constant(list(cells), tf.string))
        missing = int((cells == "").sum())
        return {"missing": missing, "corrupt": int((~valid.numpy()).sum()) - missing}
    return {"filled": int(np.isnan(cells).sum()), "corrupt": int(np.isinf(cells).sum())}
