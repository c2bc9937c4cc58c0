"""Arrays in memory, one row of each after the other."""

import numpy as np


def load(inputs, targets=None, *, splits=None):
    """Rows of arrays by split.

    Arrays of pictures or sounds that are decoded already go straight to a model:
    `data_pipelines.Samples.from_arrays`.

    Args:
        inputs: Raw values by name, `(rows,)`: strings, the bytes of files, numbers.
        targets: Targets by name, `(rows,)`.
        splits: `(rows,)` names of splits; None for `"train"`.

    Returns:
        `{split: tf.data.Dataset}` of `({name: raw scalar}, {name: target})`.

    Raises:
        ValueError: If two arrays have not as many rows, or a row is no scalar.
    """
    import tensorflow as tf

    inputs = {name: _raw(values) for name, values in inputs.items()}
    targets = {name: _raw(values) for name, values in (targets or {}).items()}
    shapes = {n: a.shape for part in (inputs, targets) for n, a in part.items()}
    sizes = {len(shape) == 1 and shape[0] for shape in shapes.values()}
    if splits is not None:
        sizes.add(len(splits))
    if len(sizes) != 1 or False in sizes:
        raise ValueError(
            "Raw arrays have one scalar per row, and as many rows of everything. What "
            f"is decoded goes to `Samples.from_arrays`. Received shapes: {shapes}."
        )
    (rows,) = sizes
    splits = np.full(rows, "train") if splits is None else np.asarray(splits)

    def of(split):
        keep = np.flatnonzero(splits == split)
        parts = ({n: a[keep] for n, a in part.items()} for part in (inputs, targets))
        return tf.data.Dataset.from_tensor_slices(tuple(parts))

    return {str(split): of(split) for split in dict.fromkeys(splits.tolist())}


def _raw(values):
    values = list(values) if not isinstance(values, np.ndarray) else values
    is_string = len(values) and isinstance(values[0], (str, bytes))
    # An array of bytes would lose the zeros at the end of a file.
    return np.array(values, object) if is_string else np.asarray(values)
