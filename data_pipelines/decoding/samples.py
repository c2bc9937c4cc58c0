"""Decoded rows in memory, as columns, and batches of them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import augment as augmentation
from data_pipelines.batching import row_random
from data_pipelines.batching.batches import Batches
from data_pipelines.batching.batches import trim_padding
from data_pipelines.batching.names import PRESENT
from data_pipelines.batching.names import index_name
from data_pipelines.batching.order import no_autograph
from data_pipelines.batching.shard import zero_padding
from data_pipelines.decoding.status import ABSENT
from data_pipelines.decoding.status import OK
from data_pipelines.decoding.status import is_present


@dataclasses.dataclass(frozen=True)
class Samples(Batches):
    """Rows whose inputs are arrays.

    A value that several rows share (one image, ten questions) is kept once.

    Args:
        values: By key of the input, the arrays of its distinct values,
            `(number of distinct values, ...)`.
        index: By key of the input, which of them each row has, `(rows,)` int64.
        status: By key of the input, the status of each row, `(rows,)` uint8, see
            `data_pipelines.decoding.status`.
        targets: Arrays by name of the target, `(rows, ...)`.
        ids: What identifies each row, `(rows,)`.
        cut: By key of the input, the rows whose value is longer than its array and lost
            its end, `(rows,)` bool.
    """

    values: dict[str, np.ndarray]
    index: dict[str, np.ndarray]
    status: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    ids: np.ndarray
    cut: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any] | None = None,
        *,
        present: Mapping[str, Any] | None = None,
        ids: Any = None,
    ) -> "Samples":
        """Samples of arrays in memory.

        Args:
            inputs: Arrays by key of the input, `(rows, ...)`.
            targets: Arrays by name of the target, `(rows, ...)`.
            present: By key of the input, `(rows,)` bool; an input that is left out is
                present in every row.
            ids: What identifies each row, `(rows,)`; None for its number.

        Returns:
            `Samples`.

        Raises:
            ValueError: If there is no input, the arrays have different numbers of rows,
                a row has no input at all, or `present` names something else than an
                input.
        """
        inputs = {key: np.asarray(array) for key, array in inputs.items()}
        targets = {name: np.asarray(array) for name, array in (targets or {}).items()}
        present = {key: np.asarray(p, bool) for key, p in (present or {}).items()}
        parts = {"inputs": inputs, "targets": targets, "present": present}
        rows = {
            f"{part}[{name!r}]": len(array)
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }
        if not inputs or len(set(rows.values())) > 1 or not set(present) <= set(inputs):
            raise ValueError(
                "Expected one input or more, the same number of rows everywhere, and "
                f"`present` of inputs alone. Received: rows={rows}."
            )
        size = len(next(iter(inputs.values())))
        everywhere = np.ones(size, bool)
        present = {key: present.get(key, everywhere) for key in inputs}
        empty = np.flatnonzero(~np.any(list(present.values()), axis=0))
        if len(empty):
            raise ValueError(
                "Expected one input or more in each row; leave the others out. "
                f"Received: {len(empty)} rows without an input, such as row {empty[0]}."
            )
        return cls(
            values=inputs,
            index={key: np.arange(size) for key in inputs},
            status={
                key: np.where(mask, OK, ABSENT).astype("uint8")
                for key, mask in present.items()
            },
            targets=targets,
            ids=np.arange(size) if ids is None else np.asarray(ids),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def inputs(self) -> list[str]:
        """Keys of the inputs, in order."""
        return list(self.values)

    def take(self, keep: np.ndarray) -> "Samples":
        """Some of the rows.

        Args:
            keep: An array of indices, or a mask `(rows,)` bool.
        """

        def select(columns):
            return {name: column[keep] for name, column in columns.items()}

        return dataclasses.replace(
            self,
            index=select(self.index),
            status=select(self.status),
            targets=select(self.targets),
            ids=self.ids[keep],
            cut=select(self.cut),
        )

    def with_targets(self, targets: Mapping[str, np.ndarray]) -> "Samples":
        """The same rows with other targets.

        Args:
            targets: Arrays by name of the target, `(rows, ...)`.
        """
        return dataclasses.replace(self, targets=dict(targets))

    def present(self) -> np.ndarray:
        """`(rows, n)` bool, which inputs each row has, in the order of `inputs`."""
        return np.stack([is_present(status) for status in self.status.values()], axis=1)

    def lengths(self, key: str) -> np.ndarray:
        """How many steps each row of an input has before its padding with zeros.

        Args:
            key: Key of the input, whose arrays are `(steps, ...)`.

        Returns:
            `(rows,)` int64; 0 where it is absent.
        """
        return count_steps(self.values[key])[self.index[key]]

    def _find_groups(self, key):
        return self.index[key]

    def _load_batches(self, order, seed, *, augment, mixup, inputs, unique, bucket_by):
        values = {key: tf.constant(array) for key, array in self.values.items()}
        index = {key: tf.constant(array) for key, array in self.index.items()}
        targets = {name: tf.constant(array) for name, array in self.targets.items()}
        present = tf.constant(self.present())
        augment = augmentation.by_key(augment)
        keys = self.inputs if inputs is None else list(inputs)
        lengths = None if bucket_by is None else tf.constant(self.lengths(bucket_by))

        @no_autograph
        def gather(epoch, rows, valid=None, longest=None):
            row_keys = row_random.keys(seed, epoch, rows)
            arrays = {}
            for key in keys:
                which = tf.gather(index[key], rows)
                if unique:
                    which, arrays[index_name(key)] = tf.unique(which)
                    # A value that rows share is changed once.
                    value_keys = row_random.keys(seed, epoch, which)
                else:
                    value_keys = row_keys
                value = tf.gather(values[key], which)
                arrays[key] = augment(key, value, value_keys)
                if key == bucket_by:
                    steps = tf.gather(lengths, rows)
                    arrays[key] = trim_padding(arrays[key], steps, longest)
            arrays[PRESENT] = tf.gather(present, rows)
            batch = arrays, {name: tf.gather(y, rows) for name, y in targets.items()}
            if valid is not None:
                batch = zero_padding(*batch, valid)
            return batch if mixup is None else mixup(*batch, row_keys)

        batches = order.map(gather, tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def count_steps(values: np.ndarray) -> np.ndarray:
    """How many steps arrays have before the zeros at their end.

    Args:
        values: `(batch, steps, ...)`.

    Returns:
        `(batch,)` int64.
    """
    nonzero = np.any(values != 0, axis=tuple(range(2, values.ndim)))  # (batch, steps)
    return np.max(nonzero * np.arange(1, nonzero.shape[1] + 1), axis=1, initial=0)
