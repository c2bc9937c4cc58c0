"""Values of a table that are nearly the same, such as a picture in two sizes.

Files with the same bytes, and equal texts, never cross splits. A picture that was made
smaller, or a text with another comma, may: it has to be found by what it shows.
"""

import zlib
from typing import Any

import numpy as np

from mbm_keras.runs.nearest import nearest

GROUP = "near_duplicates"  # a `group` that is not a column
# The least cosine of two values that count as nearly the same.
LIMITS = {"image": 0.98, "text": 0.9, "audio": 0.98}
_SIDE = 24  # pixels of a picture
_GRAMS, _LETTERS = 2_048, 3
_NEIGHBORS = 12
_FEWEST_LETTERS = 12  # of a text: short ones are alike by chance
_LEAST_SPREAD = 4.0  # of 255 levels: a picture of one color is like any other


def near_duplicates(table: Any) -> tuple[dict[str, dict], np.ndarray]:
    """Finds rows whose texts, pictures or sounds are nearly the same.

    A picture is compared by its levels at 24 pixels, a sound by its mel spectrogram, a
    text by its runs of three letters; the mean is subtracted of the first two. Two
    values are near duplicates if the cosine is at least `LIMITS`.

    Args:
        table: A `data_pipelines.tables.table.Table`.

    Returns:
        By name of the column: `groups`, `rows` in them, `across_splits`, the groups
        with rows in two splits, and `examples`, some pairs of row numbers and their
        cosine. And `(rows,)` integers, equal for rows that share a group in any column.
    """
    parents = np.arange(len(table.rows))
    found = {}
    for name, modality in table.columns.items():
        if modality not in LIMITS:
            continue
        vectors, rows = _VECTORS[modality](table, name)
        pairs = _pairs(vectors, LIMITS[modality])
        own = np.arange(len(table.rows))
        for i, j, _ in pairs:
            for links in (own, parents):
                _join(links, rows[i], rows[j])
        found[name] = _describe(table, own, rows, pairs)
    return found, np.array([_root(parents, i) for i in range(len(parents))])


def with_groups(table: Any) -> Any:
    """The table with one more column, `GROUP`: equal for rows that are nearly the same.

    Args:
        table: A `Table`.
    """
    import dataclasses

    import polars as pl

    _, groups = near_duplicates(table)
    column = pl.Series(GROUP, [f"row {i}" for i in groups])
    return dataclasses.replace(table, frame=table.frame.with_columns(column))


def _pairs(vectors, limit):
    """Pairs of vectors with a cosine of at least a limit, each once."""
    if len(vectors) < 2:
        return []
    positions, scores = nearest(vectors, vectors, _NEIGHBORS)
    i, k = np.nonzero(scores >= limit)
    j, s = positions[i, k], scores[i, k]
    return [(a, b, float(x)) for a, b, x in zip(i, j, s, strict=True) if a != b]


def _describe(table, links, rows, pairs):
    roots = np.array([_root(links, i) for i in rows])
    names, counts = np.unique(roots, return_counts=True)
    several = names[counts > 1]
    splits = table.split[rows]
    across = [root for root in several if len(set(splits[roots == root])) > 1]
    some = [(a, b, x) for a, b, x in pairs if a < b][:10]
    return {
        "groups": len(several),
        "rows": int(counts[counts > 1].sum()),
        "across_splits": len(across),
        "examples": [
            [int(table.rows[rows[a]]), int(table.rows[rows[b]]), round(x, 4)]
            for a, b, x in some
        ],
    }


def _root(links, i):
    while links[i] != i:
        links[i] = links[links[i]]
        i = links[i]
    return i


def _join(links, i, j):
    i, j = _root(links, i), _root(links, j)
    links[max(i, j)] = min(i, j)


def _unit(vectors):
    """Vectors of length 1 without their mean."""
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype("float32")


def _of_arrays(table, name, preprocessor):
    """Decoded arrays of a column, and the positions of their rows."""
    import dataclasses

    from data_pipelines import decode
    from mbm_keras.preprocessing import Features

    part = dataclasses.replace(table, columns={name: table.columns[name]}, target=None)
    samples, _, _ = decode(part, Features(**{name: preprocessor}))
    (key,) = samples.inputs
    values = np.asarray(samples.values[key], "float32")[samples.index[key]]
    return values, table.positions(samples.ids)


def _images(table, name):
    from mbm_keras.preprocessing import Pixels

    pixels, rows = _of_arrays(table, name, Pixels(_SIDE))
    levels = pixels.reshape(len(pixels), -1)
    clear = levels.std(axis=1) >= _LEAST_SPREAD
    return _unit(levels[clear]), rows[clear]


def _sounds(table, name):
    from mbm_keras.preprocessing import LogMel

    mels, rows = _of_arrays(table, name, LogMel(8_000, 4.0, num_mel_bins=24))
    return _unit(mels.reshape(len(mels), -1)), rows


def _texts(table, name):
    cells = [str(x or "").casefold() for x in table.raw(name)]
    rows = np.array([i for i, x in enumerate(cells) if len(x) >= _FEWEST_LETTERS], int)
    vectors = np.zeros((len(rows), _GRAMS), "float32")
    for vector, row in zip(vectors, rows, strict=True):
        text = " ".join(cells[row].split())
        for k in range(len(text) - _LETTERS + 1):
            vector[zlib.crc32(text[k : k + _LETTERS].encode()) % _GRAMS] += 1
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9), rows


_VECTORS = {"image": _images, "text": _texts, "audio": _sounds}
