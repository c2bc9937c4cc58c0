"""From a table that is open to decoded rows, with every row accounted for."""

import os
import pathlib

_MEMORY_SHARE = 4  # decoded rows that need more than a quarter of the memory: to disk


def decode_rows(table, features, targets, cache, stream=None, keep_corrupt=False):
    """Decodes a table into memory, or into a folder where it is too large for that.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: Its preprocessors.
        targets: Target by name, or None.
        cache: The folder.
        stream: True for the folder, False for memory, None to decide by the size.
        keep_corrupt: True to treat a corrupt part as absent, as a served model does.

    Returns:
        `Samples` or a `Stream` of the good rows, a boolean mask of them, and a list of
        `Broken`.
    """
    import numpy as np

    from data_pipelines import Stream
    from data_pipelines import decode

    if stream is None:
        arrays = [preprocessor.array for preprocessor in features.by_key.values()]
        row = sum(spec.shape.num_elements() * spec.dtype.size for spec in arrays)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        stream = row * len(table.rows) > memory / _MEMORY_SHARE
    if not stream:
        return decode(table, features, targets, keep_corrupt=keep_corrupt)
    kept = Stream(table, features, targets, keep_corrupt=keep_corrupt, cache=cache)
    kept = kept.scan()
    good = np.isin(np.arange(len(table.rows)), kept.rows)
    return kept, good, kept.broken


def write_quarantine(broken, path):
    """Writes the broken rows, where there are any.

    Returns:
        The number of rows set aside.
    """
    from data_pipelines import quarantine

    path = pathlib.Path(path)
    if broken:
        quarantine.write(path, broken)
    else:
        path.unlink(missing_ok=True)  # of an earlier table with broken rows
    return quarantine.count(broken)


def name_table(table):
    """How a table is called in results and messages: its path, or what it is.

    Args:
        table: What `data_pipelines.sources.open_table` takes.
    """
    if isinstance(table, (str, os.PathLike)):
        return os.fspath(table)
    return f"{type(table).__name__} in memory"


def sample_rows(tables, features, rows=8, most_bytes=4_000_000):
    """Some raw rows by column, files as their bytes.

    Rows that no model learned from, unless validation has a table of its own; several
    models leave none without a test split.

    Args:
        tables: `rows`, and `valid` where it is given.
        features: Its preprocessors.
        rows: How many.
        most_bytes: A larger file is left out: an absent part.

    Returns:
        Lists of bytes, strings or floats by column name.
    """
    from data_pipelines.tables.modality import FILES

    table = tables["rows"]
    if "valid" not in tables:
        split = "valid" if "valid" in table.split else "train"
        table = table.take(table.split == split)
    keys, by_key = features.keys, features.by_key
    taken = {}
    for name, modality in table.columns.items():
        cells = list(table.raw(name)[:rows])
        if modality in FILES:
            cells, _ = table.read_cells(name, cells, by_key[keys[name]])
            cells = [cell if len(cell) < most_bytes else b"" for cell in cells]
        elif modality == "number":
            cells = [float(cell) for cell in cells]
        taken[name] = cells
    return taken


def sample_arrays(saved, model):
    """Arrays of the rows that a run keeps, by name of the model's input.

    Args:
        saved: A `mbm_keras.runs.folder.Saved`.
        model: The model that takes them.
    """
    import numpy as np
    import tensorflow as tf

    signature = saved.features.raw_signature()
    raw = {n: tf.constant(saved.sample[n], s.dtype) for n, s in signature.items()}
    arrays, _ = saved.features.decode_batch(raw)
    return {t.name: np.asarray(arrays[t.name]) for t in model.inputs}
