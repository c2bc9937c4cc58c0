"""How long to train, and with how many rows at once, by the number of rows.

Each function returns a choice and its reason.
"""

_STEPS, _ROWS_PER_STEP = 1_600, 8  # so many steps, and one more for so many rows
_MOST_EPOCHS, _FEWEST_EPOCHS = 80, 8
MEMBERS = ((1_500, 5), (4_000, 3))  # up to so many rows, so many models


def batch_size(rows: int) -> tuple[int, str]:
    """Rows per step: with few rows small batches, so that there are steps enough.

    Args:
        rows: Rows to learn from, validation included.
    """
    size = 16 if rows < 300 else 32 if rows < 2_000 else 64
    return size, f"{rows:,} rows to learn from"


def epochs(rows: int, batch: int) -> tuple[int, str]:
    """Most epochs of the last stage.

    Args:
        rows: Rows to learn from, validation included.
        batch: Rows per step.
    """
    per_epoch = max(1.0, rows / batch)
    number = round((_STEPS + rows / _ROWS_PER_STEP) / per_epoch)
    number = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, number))
    return number, f"{round(number * per_epoch):,} steps of {batch} rows at most"


def members(rows: int, model: str) -> tuple[int, str]:
    """Number of models whose answers are averaged.

    Args:
        rows: Rows to learn from, validation included.
        model: Name of the model.
    """
    if model != "late_fusion":
        return 1, f"one {model}"
    for limit, number in MEMBERS:
        if rows <= limit:
            return number, f"{rows:,} rows: every row validates one model"
    return 1, f"{rows:,} rows are enough for one model"
