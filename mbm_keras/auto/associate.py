"""From a table without a target to a plan: its inputs belong together."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto import budget
from mbm_keras.auto import input_plans
from mbm_keras.auto import planner
from mbm_keras.auto import published
from mbm_keras.auto.plan import ASSOCIATION
from mbm_keras.auto.plan import Plan

_BATCHES = ((1_000, 64), (5_000, 128))  # up to so many rows, so many in a batch
_LARGEST = 256


def make_plan(
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    loss: str | None = None,
    minutes: float | None = None,
    towers: Mapping[str, str] | None = None,
    tune: str | None = None,
    seed: int = 0,
) -> Plan:
    """Chooses how to learn which values of a row belong together.

    Args:
        table: A `data_pipelines.tables.table.Table`, whose inputs are those to
            associate.
        columns: As for `planner.make_plan`, and so are the others.
        group: Column whose values never cross splits.
        epochs: Most epochs.
        batch_size: Rows per step, which are compared with each other.
        learning_rate: Peak step size.
        augment: Random changes of images and sounds.
        loss: `"clip"` or `"siglip"`, None to choose.
        minutes: Limit of training.
        towers: Folder of a published encoder by column name, instead of a tower from
            scratch.
        tune: What learns of these, see `Plan`; None to choose.
        seed: Seed of everything random.

    Returns:
        A `Plan` of the model `dual_encoder`. If all of its towers are the halves of one
        published pair and learn, it starts as that pair.

    Raises:
        ValueError: If there are fewer than two inputs, or nothing to tune.
    """
    from data_pipelines.tables.names import unused_name
    from mbm_keras.auto import fit

    learned = table.take(table.split == "train")
    inputs = input_plans.plan_inputs(learned, "late_fusion")
    chosen_tune, why_tune = tune or "frozen", budget.FROZEN
    is_tuned = published.check_tune(tune, towers)
    inputs = _with_encoders(inputs, learned, towers or {}, chosen_tune)
    if len(inputs) < 2:
        raise ValueError(
            "Expected two inputs or more to associate. Received: "
            f"{', '.join(table.columns) or 'none'} in `{table.path}`."
        )
    reasons = {"target_kind": "no target: the inputs of a row belong together"}

    def choose(name, given, chosen, reason):
        reasons[name] = "given" if given is not None else reason
        return chosen if given is None else given

    rows = int((table.split != "test").sum())
    size = next((size for most, size in _BATCHES if rows <= most), _LARGEST)
    why = f"{rows:,} rows to learn from, which are compared with each other"
    batch = choose("batch_size", batch_size, size, why)
    most = (
        budget.tuned_epochs(rows) if is_tuned else budget.epochs(rows, batch, inputs, 1)
    )
    pair = published.pair_of(inputs)
    plan = Plan(
        target=unused_name(ASSOCIATION, table.columns),
        target_kind=ASSOCIATION,
        inputs=inputs,
        left_out=planner.left_out(table, columns or {}, group),
        model="dual_encoder",
        fusion="",
        width=Plan.width if pair is None else pair.width,
        epochs=choose("epochs", epochs, *most),
        tune=choose("tune", tune, chosen_tune, why_tune),
        tower_rate=budget.tower_rate(chosen_tune)[0],
        batch_size=batch,
        learning_rate=choose("learning_rate", learning_rate, 2e-3, "default"),
        augment=choose("augment", augment, True, "small changes keep the meaning"),
        loss=choose("loss", loss, *(pair.loss if pair else ("clip", "default"))),
        minutes=choose("minutes", minutes, None, "no limit"),
        unimodal_epochs=0,
        fusion_epochs=0,
        group=group,
        seed=seed,
        reasons=reasons,
    )
    fit.check_model(plan)
    return plan


def _with_encoders(inputs, table, folders, tune):
    """Published encoders in place of the towers of their columns.

    A text is not an input next to its own embedding: these would match each other.
    """
    found = published.add_encoders(inputs, table, folders, tune)
    added = {
        next(iter(planned.columns)): dataclasses.replace(
            planned, sizes={**planned.sizes, "column": ""}
        )
        for name, planned in found.items()
        if name not in inputs
    }
    return {name: added.get(name, found[name]) for name in inputs}
