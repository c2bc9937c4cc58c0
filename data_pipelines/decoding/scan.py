"""What is wrong with the files of a table, before anything is trained on it."""

import hashlib
import json
import os
import pathlib

import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import stores
from data_pipelines.decoding.decode import distinct_of
from data_pipelines.decoding.decode import reason
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.formats import parquet
from data_pipelines.quarantine import Broken
from data_pipelines.tables.table import FILES

_TOGETHER = 256  # files read and decoded in one go, in parallel


def scan(table, features, *, deep=True, notes=None):
    """Finds every file that cannot be read or decoded.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: The preprocessors, as for `data_pipelines.decode`.
        deep: True to decode each file; False to see if it is there, and not empty.
        notes: Path of a file that remembers what was found: a file of the same path,
            size and time of change is not decoded a second time. None for no memory.

    Returns:
        A list of `Broken`.
    """
    known = _recall(notes)
    found, broken = {}, []
    for name in features.columns():
        if table.columns.get(name) not in FILES:
            continue
        keys, places = distinct_of(table.raw(name))
        reasons = _reasons(table, features, name, keys, deep, known, found)
        bad = np.array([reason is not None for reason in reasons], bool)
        for row in np.flatnonzero(bad[places]):
            broken.append(Broken(int(table.rows[row]), name, reasons[places[row]]))
    if deep and notes is not None:
        _remember(notes, {**known, **found})
    return broken


def _reasons(table, features, name, keys, deep, known, found):
    """What is wrong with each of the files, None if nothing is."""
    by = features.by_name[name]
    made_by = json.dumps([type(by).__name__, by.config()])
    made_by = hashlib.sha256(made_by.encode()).hexdigest()[:16]
    reasons, stamps, todo = [None] * len(keys), {}, []
    for place, key in enumerate(keys):
        if stores.is_absent(key):
            continue
        try:
            stamp = table.store.stamp(table.source_column(name), key)
        except stores.Unreadable as error:
            reasons[place] = str(error)
            continue
        stamps[place] = None if stamp is None else f"{made_by} {stamp}"
        if stamps[place] in known:
            reasons[place] = known[stamps[place]] or None
        elif deep:
            todo.append(place)
    part = tf.function(
        lambda raw: features.decode_input(name, raw)[1],
        [tf.TensorSpec((None,), tf.string)],
        autograph=False,
    )
    for start in range(0, len(todo), _TOGETHER):
        chunk = todo[start : start + _TOGETHER]
        data, refused = table.read_cells(name, keys.gather(chunk), by)
        states = part(tf.constant(data)).numpy()
        for i, place in enumerate(chunk):
            if i in refused:
                reasons[place] = refused[i]
            elif states[i] == CORRUPT:
                reasons[place] = reason(table, features, name, keys[place])
            if stamps[place] is not None:
                found[stamps[place]] = reasons[place] or ""
    return reasons


def _recall(notes):
    try:
        if notes is None or not os.path.exists(notes):
            return {}
        frame = parquet.read_parquet(notes)
        return dict(zip(frame["stamp"], frame["reason"], strict=True))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return {}  # they are damaged: all is looked at again


def _remember(notes, known):
    notes = pathlib.Path(notes)
    notes.parent.mkdir(parents=True, exist_ok=True)
    new = notes.with_name(notes.name + ".unfinished")
    frame = {"stamp": list(known), "reason": list(known.values())}
    pl.DataFrame(frame, schema={"stamp": pl.String, "reason": pl.String}).write_parquet(
        new
    )
    os.replace(new, notes)
