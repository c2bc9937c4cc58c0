"""Cross-validation: a run for each fold of the rows, and the spread of its figures."""

import dataclasses
import pathlib
import statistics
import sys
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from mbm_keras.runs.run import Run


def cross_validate(
    plan: Any,
    table: Any,
    folder: pathlib.Path,
    train: Callable[[Any, Any, pathlib.Path, int], None],
    verbose: str | int = "auto",
) -> dict[str, Any]:
    """Trains once for each fold, on the others.

    Each fold is a run of its own, in `folds/1`, `folds/2` ... of the run folder. Rows
    of the split `test` are in no fold.

    Args:
        plan: The plan; it gives the number of folds, the group and the seed.
        table: The `Table`.
        folder: The run folder.
        train: Trains a plan on a table in a folder, unless it is finished there; it
            also gets the number of the fold, from 1.
        verbose: 0 for silence.

    Returns:
        A dict: `number` of the folds; `figures`, those of validation by fold; `mean`
        and `deviation`, the standard deviation, by name of the figure.

    Raises:
        ValueError: If there are fewer independent rows or groups than folds.
    """
    results = {}
    for fold, split in enumerate(fold_splits(plan, table), 1):
        if verbose != 0:
            sys.stderr.write(f"fold {fold} of {plan.folds}\n")
        where = folder / "folds" / str(fold)
        part = dataclasses.replace(table, split=split)
        # One model: a fold has validation rows, and several would take them for theirs.
        train(dataclasses.replace(plan, folds=0, members=1), part, where, fold)
        results[str(fold)] = Run(where).metrics["splits"]["valid"]
    return {"number": plan.folds, "figures": results, **summarize(results)}


def summarize(results: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict]:
    """Mean and standard deviation over the folds.

    Args:
        results: Figures by fold.

    Returns:
        `mean` and `deviation` by name of a figure that every fold has.
    """
    first, *others = results.values()
    known: dict[str, list[float]] = {}
    for name in first:
        values = [fold.get(name) for fold in (first, *others)]
        if name != "rows" and None not in values:
            known[name] = [float(value) for value in values if value is not None]
    return {
        "mean": {name: statistics.fmean(c) for name, c in known.items()},
        "deviation": {name: statistics.stdev(c) for name, c in known.items()},
    }


def fold_splits(plan: Any, table: Any) -> list[Any]:
    """`(rows,)` names of splits, for one fold after the other.

    Raises:
        ValueError: If there are fewer independent rows or groups than folds.
    """
    from data_pipelines.tables import select
    from data_pipelines.tables import splits

    learned = table.split != "test"
    rows = table.take(learned)
    units, classes = select.find_units(rows, plan.group), select.find_classes(rows)
    folds = splits.by_folds(units, plan.folds, plan.seed, classes)
    found = []
    for fold in range(plan.folds):
        split = table.split.astype("<U5")
        split[learned] = splits.of_fold(units, folds, fold, classes)
        found.append(split)
    return found
