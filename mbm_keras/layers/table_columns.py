"""The columns of a table's array: numbers, their flags, and ids of categories."""

from collections.abc import Sequence
from typing import Any

from keras import ops


def split_table(
    table: Any, numbers: int, categories: Sequence[int]
) -> tuple[Any, Any, list[Any]]:
    """Splits the array of a table into its parts.

    Args:
        table: `(batch, 2 * numbers + len(categories))`, float: the numbers, then a flag
            for each, then the ids, see `mbm_keras.towers.table_mlp`.
        numbers: int >= 0, number of numeric columns.
        categories: ints > 1, ids of each categorical column.

    Returns:
        The numbers `(batch, numbers)` and their flags, 1 where a number is present, or
        None for both if there are no numbers; and a list of `(batch,)` int32 ids.

    Raises:
        ValueError: If there are no columns.
    """
    if numbers + len(categories) < 1:
        raise ValueError(
            "Expected at least one column. "
            f"Received: numbers={numbers}, categories={categories}."
        )
    ids = [ops.cast(table[:, 2 * numbers + i], "int32") for i in range(len(categories))]
    if not numbers:
        return None, None, ids
    return table[:, :numbers], table[:, numbers : 2 * numbers], ids
