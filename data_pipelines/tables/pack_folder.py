"""A folder of shards: whether it is new, interrupted or finished."""

import csv
import json
from typing import Any

from data_pipelines import files
from data_pipelines.quarantine import Broken
from data_pipelines.tables.fingerprint import hash_stamps

SCHEMA, INDEX = "schema.json", "index.parquet"
PLAN = "packing.json"  # is there while the shards are not finished
QUARANTINE = "quarantine.csv"


def check_free(out, plan):
    """Checks that a folder is new, empty, or one where the same table was packed."""
    if not out.is_dir() or files.is_empty(out):
        return
    for name in (SCHEMA, PLAN):
        if read_json(out / name).get("fingerprint") == plan["fingerprint"]:
            return
    raise ValueError(
        "Expected a new folder, or one where packing this table with these arguments "
        f"was interrupted. Received: `{out}`, which is not empty."
    )


def check_finished(table, out, plan):
    """Checks that the files of the table are those that were packed."""
    shards = range(plan["shards"])
    rows = [range(shard, len(table.rows), plan["shards"]) for shard in shards]
    stamps = [hash_stamps(table, row_index) for row_index in rows]
    if read_json(out / SCHEMA).get("stamps") != stamps:
        raise ValueError(
            f"`{out}` is not empty: it has the shards of this table, some of whose "
            "files have changed since. Choose another folder, or delete this one."
        )


def read_plan(out, plan):
    """The plan of an interrupted run if there was one, else the new one, written."""
    earlier = read_json(out / PLAN)
    if earlier.get("fingerprint") == plan["fingerprint"]:
        return earlier
    files.write(out / PLAN, json.dumps(plan))
    return plan


def read_json(path) -> dict[str, Any]:
    """What an earlier process wrote; empty if there is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_quarantine(out, table):
    """What was wrong with the files of a table that is packed."""
    try:
        with open(out / QUARANTINE, newline="", encoding="utf-8") as file:
            _, *lines = csv.reader(file)
    except OSError:
        return []
    broken = [Broken(int(row), column, reason) for row, column, reason in lines]
    return [item for item in broken if item not in table.broken]


def remove_notes(out):
    """Removes what only an interrupted packing needs."""
    for path in [*out.glob("*.done"), out / PLAN]:
        path.unlink(missing_ok=True)
