"""Names of columns that the library adds to those of a table."""

from collections.abc import Collection


def unused_name(base: str, names: Collection[str]) -> str:
    """A name that no column has.

    Args:
        base: The name to use if it is free.
        names: Names of the columns; a set or dict where there are many.

    Returns:
        `base`, or `base_2`, `base_3` ... where a column is called so.
    """
    name, number = base, 1
    while name in names:
        number += 1
        name = f"{base}_{number}"
    return name
