"""From a table to a plan, each choice with its reason.

The figures that the reasons rest on are in `benchmarks/RESULTS.md`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto import budget
from mbm_keras.auto import clips
from mbm_keras.auto import fit
from mbm_keras.auto import published
from mbm_keras.auto import sizes
from mbm_keras.auto import targets
from mbm_keras.auto.plan import OF_SENTENCES
from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.plan import Plan
from mbm_keras.registry import names

_GIVEN = "given"
_LONG = 3.0  # seconds of a sound
_FEW_ROWS = 1_000
_MANY_ROWS = 4_500  # from which several inputs have towers without statistics
_SMALL = 64  # pixels
_STATISTICS = "statistics next to a CNN, for few rows"
_PLAIN = {"image_statistics": "image_cnn", "audio_statistics": "audio_cnn"}


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
    if not table.columns:
        raise ValueError(
            f"Expected an input in addition to the target {table.target!r} in "
            f"`{table.path}`. Received columns: {table.frame.columns}."
        )
    check_names(model=model, fusion=fusion, task=task)
    kind, why = targets.choose_kind(table, task, model)
    chosen_model, why_model = _model_for(kind, table)
    learned = table.take(table.split == "train")
    inputs = plan_inputs(learned, model or chosen_model)
    if kind == "transcript":
        inputs = {name: _speech(learned, name, one) for name, one in inputs.items()}
    not_read: dict[str, str] = {}
    if kind in OF_SENTENCES:
        inputs, not_read = _one_text(table, inputs)
    chosen_tune, why_tune = tune or "frozen", budget.FROZEN
    is_tuned = published.check_tune(tune, towers)
    inputs = published.add_encoders(inputs, learned, towers or {}, chosen_tune)
    reasons = {"target_kind": why}

    def choose(name, given, chosen, reason):
        reasons[name] = _GIVEN if given is not None else reason
        return chosen if given is None else given

    chosen_model = choose("model", model, chosen_model, why_model)
    rows = int((table.split != "test").sum())
    batch = choose("batch_size", batch_size, *budget.batch_size(rows))
    one = (1, "one model, whose encoder learns")
    several = budget.members(rows, inputs, chosen_model)
    number = choose("members", members, *(one if is_tuned else several))
    most = (
        budget.tuned_epochs(rows)
        if is_tuned
        else budget.speech_epochs(rows, batch)
        if kind == "transcript"
        else budget.epochs(rows, batch, inputs, number)
    )
    plan = Plan(
        target=table.target,
        target_kind=kind,
        inputs=inputs,
        left_out={**left_out(table, columns or {}, group), **not_read},
        model=chosen_model,
        stages=choose("stages", stages, "joint", "ahead at equal steps"),
        members=number,
        model_sizes=clips.sizes_of_crops(inputs, chosen_model),
        fusion=choose("fusion", fusion, *_fusion_for(chosen_model)),
        epochs=choose("epochs", epochs, *most),
        tune=choose("tune", tune, chosen_tune, why_tune),
        tower_rate=budget.tower_rate(chosen_tune)[0],
        batch_size=batch,
        learning_rate=choose(
            "learning_rate", learning_rate, *budget.learning_rate(chosen_model)
        ),
        augment=choose("augment", augment, True, "small changes keep the meaning"),
        class_weight=choose("class_weight", class_weight, None, "rows count alike"),
        loss=choose("loss", loss, None, "default"),
        folds=choose("folds", folds, 0, "no cross-validation"),
        minutes=choose("minutes", minutes, None, "no limit"),
        group=group,
        seed=seed,
        reasons=reasons,
        tags=next(iter(table.more_targets), None),
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


def plan_inputs(table, model="late_fusion"):
    """An `InputPlan` by input name, sized by a look into the files.

    Columns of numbers, dates and categories together are one input, `table`.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        model: Name of the model. `late_fusion` reads the grams of a text too, the
            others its words alone.
    """
    inputs = {
        name: plan_column(table, name)
        for modality, plan_column in _PLANS.items()
        for name in table.columns_of(modality)
    }
    if model == "late_fusion":
        inputs = {name: _with_grams(planned) for name, planned in inputs.items()}
    if model == "intent_and_slots":
        inputs = {name: _with_characters(planned) for name, planned in inputs.items()}
    row = {
        name: modality
        for modality in ("number", "date", "category")
        for name in table.columns_of(modality)
    }
    for name, planned in inputs.items():
        # The sound of a clip is heard for as long as the clip is seen.
        sound = (
            inputs.get(table.sound_of(name)) if planned.modality == "video" else None
        )
        if sound is not None and sound.modality == "audio":
            sizes_of_clip = {**planned.sizes, "seconds": sound.sizes["seconds"]}
            inputs[name] = InputPlan(
                planned.modality,
                planned.columns,
                planned.preprocessor,
                sizes_of_clip,
                reason=planned.reason,
            )
    inputs = clips.plan_clips(inputs, model)
    if row:
        name = "table" if "table" not in inputs else "table_columns"
        inputs[name] = InputPlan(
            "table",
            row,
            "TableRow",
            tower="tabm",
            tower_sizes={"num_members": 8},
            reason="numbers, dates and categories are one input",
        )
    if len(inputs) > 1 and len(table.rows) >= _MANY_ROWS:
        inputs = {name: _for_many_rows(planned) for name, planned in inputs.items()}
    return inputs


def _for_many_rows(planned):
    """A tower that learns what inputs have together, from many rows.

    What a linear model finds in one input alone the fitted heads find too.
    """
    if planned.tower in _PLAIN:
        why = planned.reason.replace(_STATISTICS, "a CNN, for many rows")
        options = {"filters": planned.tower_sizes["filters"]}
        return dataclasses.replace(
            planned, tower=_PLAIN[planned.tower], tower_sizes=options, reason=why
        )
    if planned.tower == "text_wide_deep":
        why = f"{planned.reason}; many rows, little dropout"
        options = {**planned.tower_sizes, "dropout": 0.1}
        return dataclasses.replace(planned, tower_sizes=options, reason=why)
    return planned


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
    if kind == "caption" and list(table.columns.values()) == ["image"]:
        return "show_attend_tell", "it writes text about an image"
    if kind == "caption":
        return "text_decoder", "it writes text about any inputs"
    if kind == "transcript":
        return "speech_recognizer", "it writes what it hears"
    return "late_fusion", "it takes any inputs"


def _fusion_for(model):
    if model == clips.VIDEO:
        return "concatenation", "a clip and its sound are fused late"
    return "film", "best on the tables of RESULTS.md"


def _text(table, name):
    longest, share = sizes.text_length(table.raw(name))
    if longest is None:
        return InputPlan("text", {name: "text"}, "WordIds", reason="words")
    reason = f"{share:.1%} of the texts fit into {longest} words"
    return InputPlan(
        "text", {name: "text"}, "WordIds", {"longest": longest}, reason=reason
    )


def _with_grams(planned):
    """A text by its words and its grams, any other input as it is."""
    if planned.preprocessor != "WordIds":
        return planned
    return dataclasses.replace(
        planned,
        preprocessor="WordGrams",
        tower="text_wide_deep",
        tower_sizes={"word_width": 64, "dropout": 0.5},
        reason=f"{planned.reason}, and pairs of words by TF-IDF",
    )


def _with_characters(planned):
    """A text by what is between its spaces, any other input as it is."""
    if planned.preprocessor != "WordIds":
        return planned
    reason = "words between spaces, and their characters"
    return dataclasses.replace(
        planned, preprocessor="WordCharacters", reason=f"{planned.reason}; {reason}"
    )


def _one_text(table, inputs):
    """The only text of a table, and why its other columns are not inputs."""
    texts = [name for name, planned in inputs.items() if planned.modality == "text"]
    if len(texts) != 1:
        raise ValueError(
            "Expected one column of text for a target of intents or tags; leave others "
            f"out with `columns`. Received: {texts} in `{table.path}`."
        )
    others = [name for name in table.columns if name not in texts]
    why = f"the model reads {texts[0]!r} alone"
    return {texts[0]: inputs[texts[0]]}, dict.fromkeys(others, why)


def _vector(table, name):
    size = sizes.vector_size(table.raw(name))
    reason = f"{size} numbers per row"
    return InputPlan(
        "vector", {name: "vector"}, "Vector", {"size": size}, reason=reason
    )


def _image(table, name):
    size = sizes.image_size(sizes.open_some_files(table, name))
    reason = f"median image, {size} pixels; {_STATISTICS}"
    several = len(table.columns_of("image")) > 1
    if several and len(table.rows) < _FEW_ROWS and size > _SMALL:
        # Few rows teach no details, and several images would leave too few steps.
        reason = f"{_SMALL} pixels: several images and few rows; {_STATISTICS}"
        size = _SMALL
    # Halved until two positions per axis are left: then each has seen all of the image.
    halvings = (size - 1).bit_length() - 1
    filters = [16, 32, 64, 128, 128, 128][:halvings]
    return InputPlan(
        "image",
        {name: "image"},
        "Pixels",
        {"size": size},
        "image_statistics",
        {"filters": filters, "dropout": 0.5 if len(table.rows) < _FEW_ROWS else 0.3},
        reason,
    )


def _audio(table, name):
    rate, seconds = sizes.audio_size(sizes.open_some_files(table, name))
    return InputPlan(
        "audio",
        {name: "audio"},
        "LogMel",
        {
            "sample_rate": rate,
            "seconds": seconds,
            "num_mel_bins": 40 if rate <= 8_000 else 64,
        },
        "audio_statistics",
        {
            # Long sounds have room for half the channels in the time of a step.
            "filters": [16, 32, 64 if seconds <= _LONG else 32],
            "dropout": 0.3,
        },
        f"95 % of the sounds fit into {seconds} s; {_STATISTICS}",
    )


def _speech(table, name, planned):
    """A sound that is heard to its end, since its text is in all of it."""
    if planned.preprocessor != "LogMel":
        return planned
    rate, seconds = sizes.speech_size(sizes.open_some_files(table, name))
    chosen = {"sample_rate": rate, "seconds": seconds, "variable": True}
    return dataclasses.replace(
        planned,
        sizes={**planned.sizes, **chosen},
        tower=None,
        tower_sizes={},
        reason=f"the longest sound and a tenth, {seconds} s",
    )


def _video(table, name):
    seconds, size = sizes.clip_size(sizes.open_some_files(table, name))
    return InputPlan(
        "video",
        {name: "video"},
        "Frames",
        {"num_frames": 8, "size": size, "seconds": seconds},
        reason=f"90 % of the clips fit into {seconds} s",
    )


def _points(table, name):
    stride = sizes.point_stride(sizes.open_some_files(table, name))
    return InputPlan(
        "points",
        {name: "points"},
        "Points",
        {"num_points": 512, "stride": stride},
        reason=f"{stride} numbers per point",
    )


_PLANS = {
    "text": _text,
    "image": _image,
    "audio": _audio,
    "video": _video,
    "points": _points,
    "vector": _vector,
}
