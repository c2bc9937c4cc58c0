"""From the columns of a table to the inputs of a model.

Each is sized by a look into its files. The figures that the reasons rest on are in
`benchmarks/RESULTS.md`.
"""

import dataclasses
from typing import Any

from mbm_keras.auto import clips
from mbm_keras.auto import sizes
from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.traits import traits_of

_LONG = 3.0  # seconds of a sound
_FEW_ROWS = 1_000
_MANY_ROWS = 4_500  # from which several inputs have towers without statistics
_SMALL = 64  # pixels
_PAGE_PIXELS = 128
_STATISTICS = "statistics next to a CNN, for few rows"
_PLAIN = "a CNN, for many rows"
_OF_TABLE = ("number", "date", "category")  # together they are one input


def plan_inputs(table: Any, model: str = "late_fusion") -> dict[str, InputPlan]:
    """An `InputPlan` by input name, sized by a look into the files.

    Columns of numbers, dates and categories together are one input, `table`.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        model: Name of the model. `late_fusion` reads the grams of a text too, the
            others its words alone.

    Returns:
        An `InputPlan` by name.
    """
    inputs = {
        name: plan_column(table, name)
        for modality, plan_column in _PLANS.items()
        for name in table.columns_of(modality)
    }
    texts = traits_of(model).texts
    if texts == "WordGrams":
        few = not _is_many(table)
        inputs = {name: _with_grams(planned, few) for name, planned in inputs.items()}
    if texts == "WordCharacters":
        inputs = {name: _with_characters(planned) for name, planned in inputs.items()}
    inputs = {name: _in_step(table, name, inputs) for name in inputs}
    inputs = clips.plan_clips(inputs, model)
    row = {
        name: modality for modality in _OF_TABLE for name in table.columns_of(modality)
    }
    if row:
        name = "table" if "table" not in inputs else "table_columns"
        inputs[name] = _row(row)
    return inputs


def plan_speech(table: Any, name: str, planned: InputPlan) -> InputPlan:
    """A sound that is heard to its end, since its text is in all of it.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        name: Name of its column.
        planned: What `plan_inputs` says of it; another input stays as it is.
    """
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


def keep_prompt(table: Any) -> tuple[dict[str, InputPlan], dict[str, str]]:
    """What the texts of a target begin with, and why other columns are not inputs.

    Args:
        table: A `data_pipelines.tables.table.Table`.
    """
    name = table.target
    planned = InputPlan(
        "prompt",
        {name: "text"},
        "PromptIds",
        reason="what a text begins with; training reads the target alone",
    )
    others = [column for column in table.columns if column != name]
    return {name: planned}, dict.fromkeys(others, f"the model reads {name!r} alone")


def keep_one_text(
    table: Any, inputs: dict[str, InputPlan]
) -> tuple[dict[str, InputPlan], dict[str, str]]:
    """The only text of a table, and why its other columns are not inputs.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        inputs: `InputPlan` by name.

    Raises:
        ValueError: If there is none, or several.
    """
    texts = [name for name, planned in inputs.items() if planned.modality == "text"]
    if len(texts) != 1:
        raise ValueError(
            "Expected one column of text for a target of intents or tags. Say which it "
            "is, `--column NAME=text`, and leave others out, `--column NAME=ignore`. "
            f"Received: {dict(table.columns)} in `{table.path}`."
        )
    others = [name for name in table.columns if name not in texts]
    why = f"the model reads {texts[0]!r} alone"
    return {texts[0]: inputs[texts[0]]}, dict.fromkeys(others, why)


def keep_one_page(
    table: Any, inputs: dict[str, InputPlan]
) -> tuple[dict[str, InputPlan], dict[str, str]]:
    """The only page of a table and its picture, and why its other columns are left.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        inputs: `InputPlan` by name.

    Raises:
        ValueError: If there are several pages, or several pictures.
    """
    kept = {n: p for n, p in inputs.items() if p.modality in ("page", "image")}
    held = [planned.modality for planned in kept.values()]
    if held.count("page") != 1 or held.count("image") > 1:
        raise ValueError(
            "Expected one column of pages, and one of their pictures or none; leave "
            f"others out with `columns`. Received: {list(kept)} in `{table.path}`."
        )
    scan = InputPlan(
        "image",
        {},
        "Pixels",
        {"size": _PAGE_PIXELS},
        reason=f"the page stretched to {_PAGE_PIXELS} pixels a side",
    )
    kept = {
        name: planned
        if planned.modality == "page"
        else dataclasses.replace(scan, columns=planned.columns)
        for name, planned in kept.items()
    }
    others = [name for name in table.columns if name not in kept]
    return kept, dict.fromkeys(others, "the model reads pages and their pictures alone")


def _is_many(table):
    """True where several inputs have rows enough to learn what they have together.

    What a linear model finds in one input alone the fitted heads find too.
    """
    modalities = list(table.columns.values())
    several = sum(modality not in _OF_TABLE for modality in modalities)
    several += any(modality in _OF_TABLE for modality in modalities)
    return several > 1 and len(table.rows) >= _MANY_ROWS


def _text(table, name):
    longest, share = sizes.text_length(table.raw(name))
    if longest is None:
        return InputPlan("text", {name: "text"}, "WordIds", reason="words")
    reason = f"{share:.1%} of the texts fit into {longest} words"
    return InputPlan(
        "text", {name: "text"}, "WordIds", {"longest": longest}, reason=reason
    )


def _with_grams(planned, few):
    """A text by its words and its grams, any other input as it is."""
    if planned.preprocessor != "WordIds":
        return planned
    reason = f"{planned.reason}, and pairs of words by TF-IDF"
    return dataclasses.replace(
        planned,
        preprocessor="WordGrams",
        tower="text_wide_deep",
        tower_sizes={"word_width": 64, "dropout": 0.5 if few else 0.1},
        reason=reason if few else f"{reason}; many rows, little dropout",
    )


def _with_characters(planned):
    """A text by what is between its spaces, any other input as it is."""
    if planned.preprocessor != "WordIds":
        return planned
    reason = "words between spaces, and their characters"
    return dataclasses.replace(
        planned, preprocessor="WordCharacters", reason=f"{planned.reason}; {reason}"
    )


def _vector(table, name):
    size = sizes.vector_size(table.raw(name))
    reason = f"{size} numbers per row"
    return InputPlan(
        "vector", {name: "vector"}, "Vector", {"size": size}, reason=reason
    )


def _image(table, name):
    size = sizes.image_size(sizes.open_some_files(table, name))
    reason = f"median image, {size} pixels"
    several = len(table.columns_of("image")) > 1
    if several and len(table.rows) < _FEW_ROWS and size > _SMALL:
        # Few rows teach no details, and several images would leave too few steps.
        reason, size = f"{_SMALL} pixels: several images and few rows", _SMALL
    # Halved until two positions per axis are left: then each has seen all of the image.
    halvings = (size - 1).bit_length() - 1
    dropout = 0.5 if len(table.rows) < _FEW_ROWS else 0.3
    tower, options, why = _cnn(table, "image", dropout)
    filters = [16, 32, 64, 128, 128, 128][:halvings]
    return InputPlan(
        "image",
        {name: "image"},
        "Pixels",
        {"size": size},
        tower,
        {"filters": filters, **options},
        f"{reason}; {why}",
    )


def _audio(table, name):
    rate, seconds = sizes.audio_size(sizes.open_some_files(table, name))
    bins = 40 if rate <= 8_000 else 64
    tower, options, why = _cnn(table, "audio", 0.3)
    # Long sounds have room for half the channels in the time of a step.
    filters = [16, 32, 64 if seconds <= _LONG else 32]
    return InputPlan(
        "audio",
        {name: "audio"},
        "LogMel",
        {"sample_rate": rate, "seconds": seconds, "num_mel_bins": bins},
        tower,
        {"filters": filters, **options},
        f"95 % of the sounds fit into {seconds} s; {why}",
    )


def _cnn(table, modality, dropout):
    """The tower of images or sounds, its options and why."""
    if _is_many(table):
        return f"{modality}_cnn", {}, _PLAIN
    return f"{modality}_statistics", {"dropout": dropout}, _STATISTICS


def _video(table, name):
    seconds, size = sizes.clip_size(sizes.open_some_files(table, name))
    return InputPlan(
        "video",
        {name: "video"},
        "Frames",
        {"num_frames": 8, "size": size, "seconds": seconds},
        reason=f"90 % of the clips fit into {seconds} s",
    )


def _in_step(table, name, inputs):
    """A clip is seen for as long as its sound is heard; another input as it is."""
    planned = inputs[name]
    sound = inputs.get(table.sound_of(name)) if planned.modality == "video" else None
    if sound is None or sound.modality != "audio":
        return planned
    chosen = {**planned.sizes, "seconds": sound.sizes["seconds"]}
    return dataclasses.replace(planned, sizes=chosen)


def _points(table, name):
    stride = sizes.point_stride(sizes.open_some_files(table, name))
    return InputPlan(
        "points",
        {name: "points"},
        "Points",
        {"num_points": 512, "stride": stride},
        reason=f"{stride} numbers per point",
    )


def _row(columns):
    return InputPlan(
        "table",
        columns,
        "TableRow",
        tower="tabm",
        tower_sizes={"num_members": 8},
        reason="numbers, dates and categories are one input",
    )


def _page(_, name):
    return InputPlan("page", {name: "page"}, "PageWords", reason="words and boxes")


_PLANS = {
    "text": _text,
    "image": _image,
    "audio": _audio,
    "video": _video,
    "points": _points,
    "page": _page,
    "vector": _vector,
}
