"""From a table to a plan, each choice with its reason.

The figures that the reasons rest on are in `benchmarks/RESULTS.md`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto import budget
from mbm_keras.auto import clips
from mbm_keras.auto import fit
from mbm_keras.auto import input_plans
from mbm_keras.auto import published
from mbm_keras.auto import targets
from mbm_keras.auto.plan import CONTINUATION
from mbm_keras.auto.plan import NUMBERS
from mbm_keras.auto.plan import OF_PAGES
from mbm_keras.auto.plan import OF_SENTENCES
from mbm_keras.auto.plan import Plan
from mbm_keras.auto.traits import traits_of
from mbm_keras.registry import names

_GIVEN = "given"


def make_plan(
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    model: str | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: bool | None = None,
    class_weight: str | None = None,
    loss: str | None = None,
    folds: int | None = None,
    stages: str | None = None,
    members: int | None = None,
    minutes: float | None = None,
    towers: Mapping[str, str] | None = None,
    tune: str | None = None,
    seed: int = 0,
) -> Plan:
    """Chooses how to train on a table.

    Args:
        table: A `data_pipelines.tables.table.Table` with a target.
        columns: Modality by column name, as the user gave it.
        group: Column whose values never cross splits.
        task: Kind of answer, a key of `targets.KINDS`; None to infer it.
        model: Name of the model, None to choose.
        fusion: Name of the fusion layer, None to choose.
        epochs: Most epochs of the last stage, None to choose.
        batch_size: Rows per step, None to choose.
        learning_rate: Peak step size, None to choose.
        augment: Random changes of images and sounds, None to choose.
        class_weight: `"balanced"`, or None for rows that count alike.
        loss: `"focal"`, or None for the loss of the task.
        folds: Number of folds of a cross-validation, None for none.
        stages: `"joint"` or `"standard"`, None to choose.
        members: Number of models whose answers are averaged, None to choose.
        minutes: Limit of training, None for none.
        towers: Folder of a published encoder by column name.
        tune: What learns of these, see `Plan`; None to choose.
        seed: Seed of everything random.

    Returns:
        A `Plan`.

    Raises:
        ValueError: If there is no input, or a name is unknown.
    """
    check_names(model=model, fusion=fusion, task=task)
    kind, why = targets.choose_kind(table, task, model)
    if kind != CONTINUATION and not set(table.columns) - {table.target}:
        raise ValueError(
            f"Expected an input in addition to the target {table.target!r} in "
            f"`{table.path}`. Received columns: {table.frame.columns}. A model that "
            f"continues texts, which needs none, has task={CONTINUATION!r}."
        )
    several = kind in (NUMBERS, *OF_PAGES)
    chosen_model, why_model = _model_for(kind, table)
    learned = table.take(table.split == "train")
    inputs, not_read = _inputs_of(table, learned, model or chosen_model, kind)
    chosen_tune, why_tune = "frozen", budget.FROZEN
    if kind == "transcript" and towers:
        chosen_tune, why_tune = "adapters", "a text needs every step of an encoder"
        published.check_steps(tune)
    chosen_tune = tune or chosen_tune
    is_tuned = published.check_tune(chosen_tune, towers)
    inputs = published.add_encoders(
        inputs, learned, towers or {}, chosen_tune, kind == "transcript"
    )
    reasons = {"target_kind": why}

    def choose(name, given, chosen, reason):
        reasons[name] = _GIVEN if given is not None else reason
        return chosen if given is None else given

    chosen_model = choose("model", model, chosen_model, why_model)
    rows = int((table.split != "test").sum())
    size = budget.PAGES if kind in OF_PAGES else budget.batch_size(rows)
    size = budget.SPEECH if kind == "transcript" else size
    batch = choose("batch_size", batch_size, *size)
    averaged = (1, "one model, whose encoder learns")
    if not is_tuned:
        averaged = budget.members(rows, inputs, chosen_model)
    number = choose("members", members, *averaged)
    most = _epochs_for(kind, is_tuned, rows, batch, inputs, number)
    plan = Plan(
        target=table.target,
        target_kind=kind,
        inputs=inputs,
        left_out={**left_out(table, columns or {}, group), **not_read},
        model=chosen_model,
        stages=choose("stages", stages, "joint", "ahead at equal steps"),
        members=number,
        model_sizes=clips.sizes_of_crops(inputs, chosen_model),
        fusion=choose("fusion", fusion, *_fusion_for(chosen_model, inputs)),
        epochs=choose("epochs", epochs, *most),
        tune=choose("tune", tune, chosen_tune, why_tune),
        tower_rate=budget.tower_rate(chosen_tune)[0],
        batch_size=batch,
        learning_rate=choose(
            "learning_rate", learning_rate, *traits_of(chosen_model).learning_rate
        ),
        augment=choose("augment", augment, True, "small changes keep the meaning"),
        class_weight=choose("class_weight", class_weight, None, "rows count alike"),
        loss=choose("loss", loss, None, "default"),
        folds=choose("folds", folds, 0, "no cross-validation"),
        minutes=choose("minutes", minutes, None, "no limit"),
        group=group,
        seed=seed,
        reasons=reasons,
        tags=None if several else next(iter(table.more_targets), None),
        more_targets=table.more_targets if several else (),
    )
    others = [name for name in fit.check_model(plan) if name != plan.model]
    if not others:
        return plan
    why = f"{reasons['model']}; these fit too: {', '.join(others)}"
    return dataclasses.replace(plan, reasons={**reasons, "model": why})


def check_names(*, model=None, fusion=None, task=None):
    """Checks names before anything heavy is imported.

    Raises:
        ValueError: If one is unknown.
    """
    for what, name, known in (
        ("model", model, names("mbm_keras.models")),
        ("fusion", fusion, names("mbm_keras.fusion")),
        ("task", task, list(targets.KINDS)),
    ):
        if name is not None and name not in known:
            raise ValueError(f"Expected a {what} in {known}. Received: {name!r}.")


def _inputs_of(table, learned, model, kind):
    """What a kind of target reads, and why its other columns are not inputs."""
    if kind == CONTINUATION:
        return input_plans.keep_prompt(table)
    inputs = input_plans.plan_inputs(learned, model)
    if kind == "transcript":
        heard = input_plans.plan_speech
        inputs = {name: heard(learned, name, one) for name, one in inputs.items()}
    if kind in OF_SENTENCES:
        return input_plans.keep_one_text(table, inputs)
    if kind in OF_PAGES:
        return input_plans.keep_one_page(table, inputs)
    return inputs, {}


def left_out(table, columns, group):
    """Why a column is not an input, by its name."""
    reasons = {}
    for name in table.ignored:
        if name not in table.frame.columns or name in table.more_targets:
            continue  # a clip without sound has no second column
        if columns.get(name) == "ignore":
            reasons[name] = _GIVEN
        else:
            unknown = "its values fit no modality; name one with `--column`"
            reasons[name] = table.reasons.get(name, unknown)
    if group is not None and group not in table.columns:
        reasons[group] = "it groups the rows"
    return reasons


def _model_for(kind, table):
    if kind in OF_SENTENCES:
        return "intent_and_slots", "it reads words and their characters"
    if kind in OF_PAGES:
        return "document_extractor", "it reads words, where they are, and the picture"
    if kind == "caption" and list(table.columns.values()) == ["image"]:
        return "show_attend_tell", "it writes text about an image"
    if kind == "caption":
        return "text_decoder", "it writes text about any inputs"
    if kind == CONTINUATION:
        return "text_decoder", "it writes text, about no input"
    if kind == "transcript":
        return "speech_recognizer", "it writes what it hears"
    return "late_fusion", "it takes any inputs"


def _epochs_for(kind, is_tuned, rows, batch, inputs, number):
    if is_tuned:
        return budget.tuned_epochs(rows)
    if kind == "transcript":
        return budget.speech_epochs(rows, batch)
    if kind in OF_PAGES:
        return budget.page_epochs(rows, batch)
    return budget.epochs(rows, batch, inputs, number)


def _fusion_for(model, inputs):
    if model == clips.VIDEO:
        if len(inputs) == 1:
            return "concatenation", "there is one input"
        return (
            "in_step",
            "what is seen and heard at once meets before it is pooled",
        )
    return "film", "best on the tables of RESULTS.md"
