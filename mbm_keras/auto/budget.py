"""How long to train, and with how many rows at once, by the number of rows.

The sizes are from `benchmarks/real_tables.py` on two cores: a step of 32 rows takes
some 15 ms, and 5 ms more for every thousand values of images and sounds in a row.
"""

from collections.abc import Mapping
from typing import Any

from mbm_keras.auto.traits import traits_of

# So many steps, and one more for so many rows. Few rows leave most to fitted heads.
_STEPS, _STEPS_OF_FEW, _ROWS_PER_STEP = 1_600, 800, 8
_MOST_EPOCHS, _FEWEST_EPOCHS, _FEWEST_STEPS = 80, 8, 300
_SECONDS, _SECONDS_OF_MANY = 180, 100  # of one core, for all models together
_BASE_MS, _MS_PER_VALUE = 15, 5e-3
_FRAMES_PER_SECOND = 100
MEMBERS = ((1_500, 5), (15_000, 3))  # up to so many rows, so many models
_FEW_ROWS = 2_000
_SPEECH_STEPS, _MOST_SPEECH_EPOCHS, _FEWEST_SPEECH_EPOCHS = 3_000, 80, 10
SPEECH = (16, "letters are learned after a thousand steps")  # rows per step
FROZEN = "encoded once; within a point of tuning on few rows, see RESULTS.md"
_TUNED, _MOST_TUNED = 150, 20  # epochs times the root of the rows, and the most
PAGES = (16, "attention between all words of a page")  # rows per step
_PAGE_STEPS, _MOST_PAGE_EPOCHS, _FEWEST_PAGE_EPOCHS = 1_300, 80, 8


def batch_size(rows: int) -> tuple[int, str]:
    """Rows per step, and why: with few rows small batches, for steps enough.

    Args:
        rows: Rows to learn from, validation included.
    """
    size = 16 if rows < 300 else 32 if rows < _FEW_ROWS else 64
    return size, f"{rows:,} rows to learn from"


def members(rows: int, inputs: Mapping[str, Any], model: str) -> tuple[int, str]:
    """Number of models whose answers are averaged, and why.

    Args:
        rows: Rows to learn from, validation included.
        inputs: `InputPlan` by name.
        model: Name of the model.
    """
    if not traits_of(model).is_averaged:
        return 1, f"one {model}"
    for limit, number in MEMBERS:
        if rows <= limit:
            needed = _FEWEST_STEPS if rows < _FEW_ROWS else _wanted_steps(rows)
            most = int(_affordable_steps(rows, inputs, batch_size(rows)[0]) / needed)
            why = f"{rows:,} rows: every row validates one model"
            return max(1, min(number, most)), why
    return 1, f"{rows:,} rows are enough for one model"


def epochs(
    rows: int, batch: int, inputs: Mapping[str, Any], number: int
) -> tuple[int, str]:
    """Most epochs of the last stage, and why.

    Args:
        rows: Rows to learn from, validation included.
        batch: Rows per step.
        inputs: `InputPlan` by name.
        number: Number of models.
    """
    steps = _wanted_steps(rows)
    if rows < _FEW_ROWS:
        affordable = _affordable_steps(rows, inputs, batch) / number
        steps = min(steps, max(_FEWEST_STEPS, affordable))
    return _epochs_of(steps, rows, batch, _FEWEST_EPOCHS, _MOST_EPOCHS)


def tuned_epochs(rows: int) -> tuple[int, str]:
    """Most epochs where published encoders learn, and why: each row costs much.

    Args:
        rows: Rows to learn from, validation included.
    """
    count = min(_MOST_TUNED, max(1, round(_TUNED / rows**0.5)))
    return count, f"{count * rows:,} rows through an encoder that learns"


def speech_epochs(rows: int, batch: int) -> tuple[int, str]:
    """Most epochs of a speech recognizer, and why: few rows need many.

    Args:
        rows: Rows to learn from, validation included.
        batch: Rows per step.
    """
    limits = _FEWEST_SPEECH_EPOCHS, _MOST_SPEECH_EPOCHS
    return _epochs_of(_SPEECH_STEPS, rows, batch, *limits)


def page_epochs(rows: int, batch: int) -> tuple[int, str]:
    """Most epochs on pages, and why.

    Args:
        rows: Rows to learn from, validation included.
        batch: Rows per step.
    """
    limits = _FEWEST_PAGE_EPOCHS, _MOST_PAGE_EPOCHS
    return _epochs_of(_PAGE_STEPS, rows, batch, *limits, what="pages")


def _epochs_of(steps, rows, batch, fewest, most, what="rows"):
    """Epochs of about so many steps, and how many steps that is."""
    per_epoch = max(1.0, rows / batch)
    count = min(most, max(fewest, round(steps / per_epoch)))
    return count, f"{round(count * per_epoch):,} steps of {batch} {what} at most"


def tower_rate(tune: str) -> tuple[float, str]:
    """Peak step size of published encoders, and why.

    Args:
        tune: What learns of them, see `Plan`.
    """
    if tune == "adapters":
        return 3e-3, "few weights, from zero on"
    return 3e-4, "small changes of what is known"


def _wanted_steps(rows):
    start = _STEPS_OF_FEW if rows < _FEW_ROWS else _STEPS
    return start + rows / _ROWS_PER_STEP


def _affordable_steps(rows, inputs, batch):
    """Steps that all models may take together."""
    seconds = _SECONDS if rows < _FEW_ROWS else _SECONDS_OF_MANY
    values = sum(_count_values(planned) for planned in inputs.values())
    return 1_000 * seconds / (_BASE_MS + _MS_PER_VALUE * values * batch / 32)


def _count_values(planned):
    """About how many values an image, a sound or a clip of a row has."""
    sizes = planned.sizes
    if planned.modality == "audio":
        return _FRAMES_PER_SECOND * sizes["seconds"] * sizes.get("num_mel_bins", 64)
    if planned.modality in ("image", "video"):
        return sizes.get("num_frames", 1) * sizes["size"] ** 2
    return 0
