"""Word and character error rates of transcripts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.metrics.bootstrap import bootstrap_interval


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Fewest insertions, deletions and substitutions from a sequence to another.

    Args:
        one: Symbols, such as the letters of a string or a list of words.
        other: Likewise.
    """
    symbols: dict[Any, int] = {}
    first, second = (
        np.array([symbols.setdefault(x, len(symbols)) for x in part], "int64")
        for part in (one, other)
    )
    index = np.arange(len(second) + 1)
    distance = index
    for i, symbol in enumerate(first, 1):
        found = np.minimum(distance[1:] + 1, distance[:-1] + (second != symbol))
        # An insertion after each of the others: the smallest before, and the way.
        distance = np.minimum.accumulate(np.concatenate([[i], found]) - index) + index
    return int(distance[-1])


def count_errors(
    texts: Sequence[str], references: Sequence[str]
) -> dict[str, np.ndarray]:
    """Errors of words and of characters, by row.

    Args:
        texts: One text per recording; spaces separate words.
        references: What was said, as many.

    Returns:
        `word_errors`, `words`, `character_errors` and `characters`, `(rows,)` int64
        each. Spaces are characters.

    Raises:
        ValueError: If there are other numbers of texts than of references.
    """
    if len(texts) != len(references):
        raise ValueError(
            "Expected a text for each reference. Received: "
            f"texts={len(texts)}, references={len(references)}."
        )
    rows = [
        (
            edit_distance(text.split(), reference.split()),
            len(reference.split()),
            edit_distance(text, reference),
            len(reference),
        )
        for text, reference in zip(texts, references, strict=True)
    ]
    columns = np.array(rows, "int64").reshape(-1, 4).T
    names = ("word_errors", "words", "character_errors", "characters")
    return dict(zip(names, columns, strict=True))


def error_rates(
    texts: Sequence[str], references: Sequence[str], units: Any = None
) -> dict[str, float]:
    """Word and character error rates over all rows, with their 95 % intervals.

        WER = (substitutions + deletions + insertions) / words of the references

    Args:
        texts: As for `count_errors`.
        references: As for `count_errors`.
        units: `(rows,)`, equal values for rows that are drawn together, such as those
            of a speaker; None for rows that are drawn one by one.

    Returns:
        `wer`, `wer_low`, `wer_high`, `cer`, `cer_low` and `cer_high`. NaN without a
        word.
    """
    counts = count_errors(texts, references)
    units = np.arange(len(texts)) if units is None else units
    found = {}
    for name, errors, of in (
        ("wer", counts["word_errors"], counts["words"]),
        ("cer", counts["character_errors"], counts["characters"]),
    ):

        def rate(rows, errors=errors, of=of):
            total = of[rows].sum()
            return float(errors[rows].sum() / total) if total else float("nan")

        found[name] = rate(slice(None))
        low, high = (float("nan"),) * 2
        if of.sum():
            low, high = bootstrap_interval(rate, units)
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found
