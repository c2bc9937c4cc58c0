"""How well values of one kind find what belongs to them among values of another."""

import dataclasses
from typing import Any

import numpy as np

RECALL_AT = (1, 5, 10)
_BLOCK = 4_000_000  # scores computed at once


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Where a search found what belongs to each query.

    Args:
        first: `(queries,)` integers, the rank of the best match, from 1.
        precision: `(queries,)` float, the average precision.
        counts: `(queries,)` integers, how many values belong to the query.
        size: Number of values that were searched.
    """

    first: np.ndarray
    precision: np.ndarray
    counts: np.ndarray
    size: int


def retrieval_scores(queries: Any, gallery: Any, pairs: Any) -> dict[str, float]:
    """Recall, median rank and mean average precision of a search by dot product.

    Args:
        queries: As for `search_ranks`, and so are the others.
        gallery: The values that are searched.
        pairs: What belongs together.

    Returns:
        See `scores_of`.

    Raises:
        ValueError: If there is no pair.
    """
    return scores_of(search_ranks(queries, gallery, pairs))


def search_ranks(queries: Any, gallery: Any, pairs: Any) -> Ranks:
    """Ranks of a search by dot product.

    The rank of a match is one more than the number of values that do not belong to the
    query and score at least as high. Equal scores count as the worst rank, so that
    constant embeddings find nothing.

    Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 3.1, and
    Karpathy and Li 2015, https://arxiv.org/abs/1412.2306, section 4.2, for several
    captions of an image. Deviation: the rule for equal scores.

    Args:
        queries: `(queries, width)` float, one of each distinct value.
        gallery: `(values, width)` float, likewise.
        pairs: `(pairs, 2)` integers, the queries and the values that belong together. A
            query without any is left out.

    Returns:
        `Ranks` of the queries that something belongs to, in their order.

    Raises:
        ValueError: If there is no pair.
    """
    queries, gallery = np.asarray(queries), np.asarray(gallery)
    pairs = np.unique(np.asarray(pairs, "int64").reshape(-1, 2), axis=0)
    if not len(pairs):
        raise ValueError("Expected a query that something belongs to. Received: none.")
    asked, start = np.unique(pairs[:, 0], return_index=True)
    belonging = np.split(pairs[:, 1], start[1:])
    first, precision = [], []
    step = max(1, _BLOCK // len(gallery))
    for begin in range(0, len(asked), step):
        scores = queries[asked[begin : begin + step]] @ gallery.T
        for row, right in zip(scores, belonging[begin : begin + step], strict=True):
            found = _ranks(row, right)
            first.append(found[0])
            precision.append(np.mean(np.arange(1, len(found) + 1) / _positions(found)))
    counts = np.array([len(right) for right in belonging])
    return Ranks(np.array(first), np.array(precision), counts, len(gallery))


def scores_of(ranks: Ranks) -> dict[str, float]:
    """Figures of a search.

    Args:
        ranks: What `search_ranks` returned.

    Returns:
        `recall_at_1`, `recall_at_5`, `recall_at_10`, the share of queries whose best
        match has at most that rank; `median_rank`; `mean_average_precision`; and
        `chance_at_1`, `chance_at_5`, `chance_at_10`, the recall of a random order.
    """
    return {
        **{f"recall_at_{k}": float(np.mean(ranks.first <= k)) for k in RECALL_AT},
        "median_rank": float(np.median(ranks.first)),
        "mean_average_precision": float(np.mean(ranks.precision)),
        **{f"chance_at_{k}": _chance(ranks.size, ranks.counts, k) for k in RECALL_AT},
    }


def _ranks(scores, right):
    """For each value that belongs to a query, one more than the others before it."""
    is_right = np.zeros(len(scores), bool)
    is_right[right] = True
    others = np.sort(scores[~is_right])
    best = np.sort(scores[right])[::-1]
    return 1 + len(others) - np.searchsorted(others, best, side="left")


def _positions(ranks):
    """Positions in the whole list, where other matches count as well."""
    return ranks + np.arange(len(ranks))


def _chance(number, counts, k):
    """Mean chance that one of `counts` values is among the first k of `number`."""
    missed = np.ones(len(counts))
    for i in range(min(k, number)):
        missed *= np.maximum(number - counts - i, 0) / (number - i)
    return float(np.mean(1 - missed))
