"""The nearest of many vectors, exactly, a block at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

_BLOCK = 65_536  # vectors compared at once
_SCORES = 16_000_000  # scores in memory at once
ENGINES = ("exact", "faiss")


def nearest(
    queries: Any, vectors: Any, k: int, *, engine: str = "exact"
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors with the largest dot product with each query.

    Equal scores are in the order of the vectors. The vectors may be a file that is
    mapped into memory: a block of them is read at a time.

    Args:
        queries: `(queries, width)` float32.
        vectors: `(n, width)` float32.
        k: How many to find; fewer where there are not so many.
        engine: `"exact"`, or `"faiss"` for an exact index of faiss, which holds all
            vectors in memory.

    Returns:
        Positions `(queries, k)` int64 and scores `(queries, k)` float32, the best ones
        first.

    Raises:
        ModuleNotFoundError: If faiss is not installed.
        ValueError: If the widths differ, k is below 1, or there is no such engine.
    """
    queries = np.ascontiguousarray(queries, "float32")
    if queries.ndim != 2 or queries.shape[1] != vectors.shape[1] or k < 1:
        raise ValueError(
            "Expected queries (queries, width) of the width of the vectors, and k >= "
            f"1. Received: {queries.shape}, {vectors.shape}, k={k}."
        )
    if engine not in ENGINES:
        raise ValueError(f"Expected an engine in {ENGINES}. Received: {engine!r}.")
    k = min(k, len(vectors))
    if engine == "faiss":
        return _with_faiss(queries, vectors, k)
    step = max(1, _SCORES // _BLOCK)
    found = [_nearest(part, vectors, k) for part in _parts(queries, step)]
    if not found:
        return np.zeros((0, k), "int64"), np.zeros((0, k), "float32")
    positions, scores = zip(*found, strict=True)
    return np.concatenate(positions), np.concatenate(scores)


def _nearest(queries, vectors, k):
    positions = np.zeros((len(queries), 0), "int64")
    scores = np.zeros((len(queries), 0), "float32")
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK], "float32")
        new = queries @ block.T  # (queries, block)
        where, best = _largest(new, k)
        positions = np.concatenate([positions, where + start], axis=1)
        scores = np.concatenate([scores, best], axis=1)
        chosen, scores = _largest(scores, k)
        positions = np.take_along_axis(positions, chosen, axis=1)
    return positions, scores


def _largest(scores, k):
    """Columns and values of the k largest of each row, of equal ones the first."""
    if scores.shape[1] <= 4 * k:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return order, np.take_along_axis(scores, order, axis=1)
    columns = np.zeros((len(scores), k), "int64")
    for i, row in enumerate(scores):
        least = np.partition(row, -k)[-k]
        above = np.flatnonzero(row > least)
        equal = np.flatnonzero(row == least)[: k - len(above)]
        some = np.sort(np.concatenate([above, equal]))
        columns[i] = some[np.argsort(-row[some], kind="stable")]
    return columns, np.take_along_axis(scores, columns, axis=1)


def _with_faiss(queries, vectors, k):
    try:
        import faiss
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Expected faiss for engine='faiss': `pip install faiss-cpu`. The engine "
            "'exact' needs nothing."
        ) from None
    index = faiss.IndexFlatIP(vectors.shape[1])
    for block in _parts(vectors, _BLOCK):
        index.add(np.ascontiguousarray(block, "float32"))
    scores, positions = index.search(queries, k)
    return positions, scores


def _parts(rows, step) -> Iterator[Any]:
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
