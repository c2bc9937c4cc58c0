"""`mbm inspect`: what a table holds, before anything is trained on it."""

import hashlib
import os
from typing import Annotated

import typer

from mbm_keras.cli import common

_FEW = 20_000  # files that are decoded unasked: a minute


def inspect(
    table: Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file.")],
    target: Annotated[
        str | None, typer.Option(help="The column to learn, for its balance.")
    ] = None,
    column: common.Columns = None,
    deep: Annotated[
        bool | None,
        typer.Option(
            "--deep/--no-deep",
            help="Decode every file, or see that it is there; else by their number.",
        ),
    ] = None,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """List columns, the modality found for each, and what is missing or unreadable."""
    with common.reporting(json) as result:
        result(*inspected(table, target, column, deep, allow_outside))


def inspected(table, target, column=None, deep=None, allow_outside=False):
    """What `mbm inspect` does: the result, and the lines a person reads."""
    import collections

    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines.tables import splits

    rows = sources.open_table(
        table,
        target=target,
        columns=common.modalities(column),
        allow_outside=allow_outside,
    )
    common.load_tensorflow()
    from data_pipelines.decoding.scan import scan
    from mbm_keras.auto import choices

    # Unreadable is what the training's own decoders cannot read.
    features = choices.features_for(rows)
    features.adapt({name: rows.raw(name) for name in choices.learned_columns(rows)})
    files = sum(rows.raw(n).n_unique() for n in rows.files())
    deep = files <= _FEW if deep is None else deep
    broken = [*rows.broken, *scan(rows, features, deep=deep, cache=_notes(table))]
    unreadable = collections.Counter(item.column for item in set(broken))
    columns = {}
    sounds = [name for name in rows.columns if name not in rows.frame.columns]
    for name in [*rows.frame.columns, *sounds]:
        values = rows.frame[rows.source_column(name)]
        role = "target" if name == target else rows.columns.get(name, "ignore")
        columns[name] = {
            "modality": role,
            "rows": len(values),
            "missing": int(sum(v is None or v == "" for v in values)),
            "unreadable": unreadable.get(name, 0),
            "distinct": values.n_unique(),
        }
    asked = [target] if target else rows.columns_of("category")
    balance = {
        name: dict(collections.Counter(map(str, rows.frame[name])).most_common(20))
        for name in asked
    }
    summary = {
        "table": str(table),
        "rows": rows.rows_read,
        "deep": deep,
        "broken_rows": quarantine.count(broken),
        "splits": splits.count(rows.split),
        "columns": columns,
        "balance": balance,
        "broken": [item._asdict() for item in sorted(set(broken))[:100]],
    }
    lines = [
        f"{'column':<20}{'modality':<10}{'missing':>9}{'unreadable':>12}{'distinct':>10}"
    ]
    for name, facts in columns.items():
        lines.append(
            f"{name:<20}{facts['modality']:<10}{facts['missing']:>9}"
            f"{facts['unreadable']:>12}{facts['distinct']:>10}"
        )
    lines.append(f"{rows.rows_read} rows, {summary['broken_rows']} of them broken")
    if not deep:
        lines.append(f"{files} files are there; `--deep` decodes them too")
    for name, counted in balance.items():
        shown = ", ".join(f"{value} {n}" for value, n in counted.items())
        lines.append(f"{name}: {shown}")
    lines += [
        f"row {b.row}, {b.column or 'row'}: {b.reason}"
        for b in sorted(set(broken))[:10]
    ]
    return summary, lines


def _notes(table):
    """Where is kept what was found in the files of a table."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    name = hashlib.sha256(os.path.abspath(table).encode()).hexdigest()[:16]
    return os.path.join(home, "mbm_keras", f"scan-{name}.parquet")
