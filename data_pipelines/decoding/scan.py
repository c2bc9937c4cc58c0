"""Finds the broken files of a table, before anything is trained on it."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import files
from data_pipelines import stores
from data_pipelines.decoding.inputs import explain
from data_pipelines.decoding.inputs import find_distinct
from data_pipelines.decoding.inputs import find_inputs
from data_pipelines.decoding.inputs import read_batches
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.formats import parquet
from data_pipelines.protocols import Features
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import Table


def scan(
    table: Table,
    features: Features,
    *,
    deep: bool = True,
    cache: str | os.PathLike[str] | None = None,
    save: str | os.PathLike[str] | None = None,
) -> list[Broken]:
    """Finds every file that cannot be read or decoded.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: The preprocessors, as for `data_pipelines.decode`.
        deep: True to decode each file; False to check only that it exists and is not
            empty.
        cache: Path of a file that keeps the results: a file with the same path, size
            and time of modification is not decoded again. None for no cache.
        save: Path of a file for the new results alone, which `join_results` adds to the
            cache; None to add them at once.

    Returns:
        A list of `Broken`.

    Raises:
        ValueError: If a column of `features` is not an input of the table.
    """
    known = _load_results(cache)
    found, broken = {}, []
    for source in find_inputs(table, features).values():
        if not source.is_file:
            continue
        (column,) = source.columns
        cells, index = find_distinct(table.raw(column))
        reasons = _check_files(table, features, source, cells, deep, known, found)
        corrupt = np.array([reason is not None for reason in reasons], bool)
        for row in np.flatnonzero(corrupt[index]):
            broken.append(Broken(int(table.rows[row]), column, reasons[index[row]]))
    if deep and save is not None:
        _save_results(save, found)
    elif deep and cache is not None:
        _save_results(cache, {**known, **found})
    return broken


def join_results(cache: str | os.PathLike, saved: Iterable[str | os.PathLike]) -> None:
    """Adds to a cache what several scans found, which had the argument `save`.

    Args:
        cache: The cache.
        saved: Their files.
    """
    found = _load_results(cache)
    for path in saved:
        found |= _load_results(path)
    _save_results(cache, found)


def _check_files(table, features, source, cells, deep, known, found):
    """What is wrong with each file, None if nothing is; adds results to `found`."""
    (column,) = source.columns
    stamp_prefix = _hash_preprocessor(source.preprocessor)
    reasons, stamps, unknown = [None] * len(cells), {}, []
    for i, cell in enumerate(cells):
        if stores.is_absent(cell):
            continue
        try:
            stamp = table.store.stamp(table.source_column(column), cell)
        except stores.Unreadable as error:
            reasons[i] = str(error)
            continue
        stamps[i] = None if stamp is None else f"{stamp_prefix} {stamp}"
        if stamps[i] in known:
            reasons[i] = known[stamps[i]] or None
        elif deep:
            unknown.append(i)
    find_status = tf.function(
        lambda raw: features.decode_input(source.key, raw)[1],
        [tf.TensorSpec((None,), tf.string)],
        autograph=False,
    )
    for chunk, data, unreadable in read_batches(table, source, cells, unknown):
        status = find_status(tf.constant(data)).numpy()
        for position, i in enumerate(chunk):
            if i in unreadable:
                reasons[i] = unreadable[i]
            elif status[position] == CORRUPT:
                reasons[i] = explain(table, features, source, cells[i])
            if stamps[i] is not None:
                found[stamps[i]] = reasons[i] or ""
    return reasons


def _hash_preprocessor(preprocessor):
    config = json.dumps([type(preprocessor).__name__, preprocessor.config()])
    return hashlib.sha256(config.encode()).hexdigest()[:16]


def _load_results(path):
    """Reasons by stamp, empty for a good file."""
    try:
        if path is None or not os.path.exists(path):
            return {}
        frame = parquet.read_parquet(path)
        return dict(zip(frame["stamp"], frame["reason"], strict=True))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return {}  # a damaged file: everything is checked again


def _save_results(path, results):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"stamp": list(results), "reason": list(results.values())}
    schema = {"stamp": pl.String, "reason": pl.String}
    with files.replace(path) as new:
        pl.DataFrame(columns, schema=schema).write_parquet(new)
