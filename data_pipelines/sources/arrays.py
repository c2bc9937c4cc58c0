"""Raw values in arrays, one element per row."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def load(
    inputs: Mapping[str, Sequence[Any] | np.ndarray],
    targets: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    *,
    splits: Sequence[str] | np.ndarray | None = None,
) -> dict[str, tf.data.Dataset]:
    """Rows of arrays by split.

    Arrays of decoded images or sounds go straight to a model:
    `data_pipelines.Samples.from_arrays`.

    Args:
        inputs: Raw values by name, `(rows,)`: strings, the bytes of files, numbers.
        targets: Targets by name, `(rows,)`.
        splits: `(rows,)` names of splits; None for `"train"`.

    Returns:
        `{split: tf.data.Dataset}` of `({name: raw scalar}, {name: target})`.

    Raises:
        ValueError: If two arrays have different numbers of rows, or a row has more than
            one value.
    """
    import tensorflow as tf

    inputs = {name: _to_array(values) for name, values in inputs.items()}
    targets = {name: _to_array(values) for name, values in (targets or {}).items()}
    rows = _count_rows(inputs, targets, splits)
    splits = np.full(rows, "train") if splits is None else np.asarray(splits)

    def rows_of(split):
        keep = np.flatnonzero(splits == split)
        parts = ({n: a[keep] for n, a in part.items()} for part in (inputs, targets))
        return tf.data.Dataset.from_tensor_slices(tuple(parts))

    return {str(split): rows_of(split) for split in dict.fromkeys(splits.tolist())}


def _count_rows(inputs, targets, splits):
    shapes = {n: a.shape for part in (inputs, targets) for n, a in part.items()}
    if splits is not None:
        shapes["splits"] = (len(splits),)
    if len(set(shapes.values())) != 1 or any(len(s) != 1 for s in shapes.values()):
        raise ValueError(
            "Expected one scalar per row, and as many rows in each array. Decoded "
            f"arrays go to `Samples.from_arrays`. Received shapes: {shapes}."
        )
    ((rows,), *_) = shapes.values()
    return rows


def _to_array(values):
    values = list(values) if not isinstance(values, np.ndarray) else values
    is_string = len(values) and isinstance(values[0], (str, bytes))
    # An array of dtype bytes would lose the zeros at the end of a file.
    return np.array(values, object) if is_string else np.asarray(values)
