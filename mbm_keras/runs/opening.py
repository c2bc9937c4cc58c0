"""The tables of a run, and the plan that it follows."""

import dataclasses
import inspect
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mbm_keras.auto.plan import Plan
from mbm_keras.auto.planner import make_plan
from mbm_keras.runs import steps
from mbm_keras.runs.members import merge_validation
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.runtime import load_tensorflow

_CHOICES = tuple(
    name
    for name in inspect.signature(make_plan).parameters
    if name not in ("table", "seed")
)


def open_tables(
    table: Any,
    valid: Any,
    plan: Plan | None,
    target: str | None,
    more: Sequence[str],
    *,
    associate: Sequence[str] | None,
    choices: Mapping[str, Any],
    reading: Mapping[str, Any],
    seed: int,
    allow_outside: bool,
) -> tuple[Plan, dict[str, Any], Any]:
    """Opens the tables of a run, and makes its plan if there is none.

    Args:
        table: As for `mbm_keras.train`.
        valid: Another table for validation, or None.
        plan: The plan; None to make one.
        target: The column to learn; None where inputs belong together.
        more: Further columns of the target.
        associate: Inputs that belong together; None for a target.
        choices: Arguments of a plan by name; all are None if there is one.
        reading: How text is read, by name of the argument.
        seed: Seed of the plan and of the split.
        allow_outside: True to follow paths that leave a table's folder.

    Returns:
        The plan; tables by name, `rows` and perhaps `valid`; and a `Reading`, how their
        text is read.

    Raises:
        ValueError: If a table, the plan or a choice is not usable.
    """
    from mbm_keras.auto import fit

    opened: dict[str, Any] = dict(
        columns=choices["columns"], group=choices["group"], seed=seed
    )
    share = Plan.valid_share
    inputs = steps.inputs_of(target if plan is None else None, associate, plan)
    if plan is not None:
        _check_choices(plan, (target, *more), choices)
        opened = dict(columns=plan.columns, group=plan.group, seed=plan.seed)
        target, more = plan.target_column, plan.further_targets
        share = plan.valid_share
    rows = steps.open_rows(
        table,
        target,
        more_targets=more,
        inputs=inputs,
        **opened,
        **reading,
        allow_outside=allow_outside,
        valid_share=share if valid is None else 0.0,
    )
    load_tensorflow()
    if plan is None:
        plan = steps.make_plan(rows, choices, seed)
    else:
        fit.check_model(plan)
    if valid is None:
        rows = merge_validation(plan, rows)
    tables = {"rows": dataclasses.replace(rows, columns=plan.columns)}
    kept = tables["rows"].reading_to_keep(**reading)
    if valid is not None:
        tables["valid"] = _open_valid(valid, plan, kept, allow_outside)
    return plan, tables, kept


def choices_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a plan among the arguments of a function.

    Args:
        arguments: `locals()`, as the first line of a function whose arguments have the
            names that they have in `auto.planner.make_plan`.

    Returns:
        Arguments of `make_plan` by name, but the table and the seed.
    """
    return {name: arguments[name] for name in _CHOICES}


def _open_valid(valid, plan, reading, allow_outside):
    if plan.folds:
        raise ValueError(
            "Expected either folds or a second table for validation. Received: "
            f"folds={plan.folds}, valid=`{name_table(valid)}`."
        )
    return steps.open_rows(
        valid,
        plan.target_column,
        more_targets=plan.further_targets,
        columns=plan.columns,
        inputs=list(plan.columns),
        allow_outside=allow_outside,
        reading=reading,
    )


def _check_choices(plan, targets, choices):
    given = sorted(name for name, value in choices.items() if value is not None)
    planned = (plan.target, *plan.further_targets)
    if given or targets not in ((None,), (plan.target,), planned):
        raise ValueError(
            "Expected the choices in the plan: change them with `dataclasses.replace`. "
            f"Received: targets of the plan={list(planned)}, target={list(targets)} "
            f"and {given}."
        )
