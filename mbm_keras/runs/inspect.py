"""What a table holds, before anything is trained on it."""

import collections
import hashlib
import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from data_pipelines.ray_workers import Ray
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.runtime import load_tensorflow
from mbm_keras.runs.scan_parts import scan_parts

_FEW_FILES = 20_000  # decoded without being asked for: a minute


def inspect(
    table: Any,
    target: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    deep: bool | None = None,
    workers: int | Ray = 1,
    duplicates: bool = False,
    allow_outside: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Lists the columns, the modality of each, and what is missing or unreadable.

    Unreadable is what the decoders of training cannot read.

    Args:
        table: What `mbm_keras.train` takes.
        target: The column to learn, for its balance.
        columns: Modality by column name, where the inferred one is wrong.
        deep: True to decode every file, False to check that it exists, None by their
            number.
        workers: Processes that decode files at once, 1 for this one; or a
            `data_pipelines.Ray`. Many rows are decoded in parts, which are kept if the
            call is interrupted.
        duplicates: True to look for texts, images and sounds that are nearly the same,
            see `mbm_keras.runs.duplicates`.
        allow_outside: True to follow paths that leave the table's folder.
        separator: Between the cells of a text file, None to find it; this and the next
            three as for `data_pipelines.sources.open_table`.
        encoding: Of a text file.
        decimal: `"."` or `","`, in text that is read as numbers.
        missing: Text that counts as missing, a mark or several; `""` for none.

    Returns:
        A dict: `rows`, `broken_rows`, `splits`, `columns` (by name: modality, missing,
        unreadable, distinct, and the reason why it is ignored), `balance`, `broken`,
        `deep`, `files`, and `read`, how the text of the file was read; with
        `duplicates` by column the groups of values that are nearly the same, and how
        many are in two splits.

    Raises:
        ValueError: If the table is not usable.
    """
    import polars as pl

    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines.tables import splits

    rows = sources.open_table(
        table,
        target=target,
        columns=columns,
        allow_outside=allow_outside,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
    )
    load_tensorflow()
    name = name_table(table)
    files = sum(pl.Series(rows.raw(n)).n_unique() for n in rows.files())
    deep = files <= _FEW_FILES if deep is None else deep
    broken = list(rows.broken)
    if rows.columns:
        broken += scan_parts(rows, _features(rows), deep, _cache(name), workers)
    summary = {
        "table": name,
        "rows": rows.rows_read,
        "deep": deep,
        "files": files,
        "broken_rows": quarantine.count(broken),
        "splits": splits.count(rows.split),
        "columns": _columns(rows, target, broken),
        "balance": _balance(rows, target),
        "read": rows.describe_reading(),
        "broken": [item._asdict() for item in sorted(set(broken))[:100]],
    }
    if duplicates:
        from mbm_keras.runs.duplicates import near_duplicates

        summary["duplicates"], _ = near_duplicates(rows)
    return summary


def _features(rows):
    from mbm_keras.auto import build
    from mbm_keras.auto import input_plans
    from mbm_keras.auto.plan import Plan

    plan = Plan(rows.target or "", "label", input_plans.plan_inputs(rows))
    features = build.build_features(plan)
    features.adapt({name: rows.raw(name) for name in build.columns_to_adapt(plan)})
    return features


def _columns(rows, target, broken):
    from data_pipelines.tables import cells

    unreadable = collections.Counter(item.column for item in set(broken))
    sounds = [name for name in rows.columns if name not in rows.frame.columns]
    facts = {}
    for name in [*rows.frame.columns, *sounds]:
        values = rows.cells(name)
        role = "target" if name == target else rows.columns.get(name, "ignore")
        facts[name] = {
            "modality": role,
            "rows": len(values),
            "missing": cells.count_absent(values),
            "unreadable": unreadable.get(name, 0) + _count_others(rows, name, role),
            "distinct": cells.count_distinct(values),
            "reason": rows.reasons.get(name, "") if role == "ignore" else "",
        }
    return facts


def _count_others(rows, name, role):
    """Cells of a column of numbers or dates that are something else."""
    import numpy as np
    import polars as pl

    from data_pipelines.tables import cell_text

    if role == "number":
        return int(np.isinf(rows.raw(name)).sum())
    if role == "date":
        return int(cell_text.find_others(pl.Series(rows.raw(name))).sum())
    return 0


def _balance(rows, target):
    shown = [target] if target else rows.columns_of("category")
    return {
        name: dict(
            collections.Counter(map(str, _labels(rows, target, name))).most_common(20)
        )
        for name in shown
    }


def _labels(rows, target, name):
    from data_pipelines.tables import cells

    return rows.targets() if name == target else cells.to_python(rows.cells(name))


def _cache(table):
    """File that keeps what an earlier scan of a table's files found."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    name = hashlib.sha256(os.path.abspath(table).encode()).hexdigest()[:16]
    return os.path.join(home, "mbm_keras", f"scan-{name}.parquet")
