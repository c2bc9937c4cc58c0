"""`mbm inspect`: what a table holds, before anything is trained on it."""

from typing import Annotated

import typer

from mbm_keras.cli import common


def inspect(
    table: Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file.")],
    target: Annotated[
        str | None, typer.Option(help="The column to learn, for its balance.")
    ] = None,
    column: common.Columns = None,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """List columns, the modality found for each, and what is missing or unreadable."""
    with common.reporting(json) as result:
        result(*inspected(table, target, column, allow_outside))


def inspected(table, target, column=None, allow_outside=False):
    """What `mbm inspect` does: the result, and the lines a person reads."""
    import collections

    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines import splits

    rows = sources.read(
        table,
        target=target,
        columns=common.modalities(column),
        allow_outside=allow_outside,
    )
    common.load_tensorflow()
    from data_pipelines.decoding import decode
    from mbm_keras.cli import choices

    # Unreadable is what the training's own decoders cannot read.
    features = choices.features_for(rows)
    features.adapt({name: rows.raw(name) for name in choices.learned_columns(rows)})
    _, _, wrong = decode(rows, features)
    broken = [*rows.broken, *wrong]
    unreadable = collections.Counter(item.column for item in set(broken))
    columns = {}
    for name in rows.frame.columns:
        values = rows.frame[name]
        role = "target" if name == target else rows.columns.get(name, "ignore")
        columns[name] = {
            "modality": role,
            "rows": len(values),
            "missing": int(sum(v is None or v == "" for v in values)),
            "unreadable": unreadable.get(name, 0),
            "distinct": values.n_unique(),
        }
    asked = [target] if target else rows.of("category")
    balance = {
        name: dict(collections.Counter(map(str, rows.frame[name])).most_common(20))
        for name in asked
    }
    summary = {
        "table": str(table),
        "rows": rows.rows_read,
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
    for name, counted in balance.items():
        shown = ", ".join(f"{value} {n}" for value, n in counted.items())
        lines.append(f"{name}: {shown}")
    lines += [
        f"row {b.row}, {b.column or 'row'}: {b.reason}"
        for b in sorted(set(broken))[:10]
    ]
    return summary, lines
