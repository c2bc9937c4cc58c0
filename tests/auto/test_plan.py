"""A plan: made from a table, read, changed, and written."""

import dataclasses
import datetime
import inspect
import json

import numpy as np
import polars as pl
import pytest

import mbm_keras as mbm
from data_pipelines import sources
from mbm_keras.auto import Plan
from mbm_keras.auto import input_plans
from mbm_keras.auto import sizes
from mbm_keras.auto.fit import check_model
from mbm_keras.auto.stages import learned_something
from mbm_keras.auto.targets import infer_kind
from mbm_keras.auto.traits import TRAITS
from mbm_keras.models import ZOO
from tests.helpers import image_bytes
from tests.helpers import wav_bytes


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    for i in range(6):
        (folder / f"{i}.png").write_bytes(image_bytes(size=(30, 34)))
    pl.DataFrame(
        {
            "id": [f"row{i}" for i in range(60)],
            "review": [f"a sentence of some words, number {i % 7}" for i in range(60)],
            "photo": [f"{i % 6}.png" for i in range(60)],
            "age": [i / 7 for i in range(60)],
            "city": ["Rome", "Oslo", "Lima"] * 20,
            "constant": ["same"] * 60,
            "number": range(60),
            "answer": ["yes", "no"] * 30,
        }
    ).write_csv(folder / "rows.csv")
    return folder / "rows.csv"


@pytest.fixture(scope="module")
def plan(table):
    return mbm.plan(table, "answer", columns={"photo": "image"})


def test_every_column_is_an_input_or_left_out_with_its_reason(plan):
    assert {n: p.modality for n, p in plan.inputs.items()} == {
        "review": "text",
        "photo": "image",
        "table": "table",
    }
    assert plan.inputs["table"].columns == {"age": "number", "city": "category"}
    assert plan.left_out["constant"] == "it has one value"
    assert plan.left_out["number"] == "it counts the rows, as an identifier"
    assert "identifier" in plan.left_out["id"]


def test_sizes_come_from_a_look_into_the_files(plan):
    assert plan.inputs["photo"].sizes == {"size": 32}


def test_a_choice_has_its_reason(plan):
    assert plan.reasons["target_kind"] == "2 different values"
    assert plan.reasons["fusion"] != "given"


def test_a_given_choice_is_kept_and_marked(table):
    plan = mbm.plan(table, "answer", fusion="gated", epochs=3)
    assert (plan.fusion, plan.epochs) == ("gated", 3)
    assert plan.reasons["fusion"] == plan.reasons["epochs"] == "given"


@pytest.mark.parametrize(
    "values, kind",
    [
        ([1.5, 2.5, 3.5] * 20, "number"),
        (list(range(60)), "number"),
        ([1, 2, 3] * 20, "label"),
        (["a|b", "a", "c"] * 20, "labels"),
        (["a;b", "a", "c"] * 20, "labels"),
        (['["a", "b"]', '["a"]'] * 30, "labels"),
        (["Rome, Italy", "Oslo, Norway"] * 30, "label"),
        ([True, False] * 30, "label"),
        ([1.5, 2.5, float("nan")] * 20, "number"),
        ([1.0, 2.0, float("inf")] * 20, "label"),
        ([[1, 2], [1], [3]] * 20, "labels"),
        ([f"a red square over circle {i}" for i in range(60)], "caption"),
    ],
)
def test_the_kind_of_the_target_is_inferred(values, kind):
    rows = pl.DataFrame(
        {"text": [f"words and {i % 9}" for i in range(60)], "y": values}
    )
    assert infer_kind(sources.open_table(rows, target="y"))[0] == kind


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"model": "film"}, "'film' does not fit.*an image.*fit: late_fusion"),
        ({"model": "mult"}, "'mult' does not fit.*sequences"),
        (
            {"task": "caption", "model": "git"},
            "'git' does not fit.*fit: text_decoder",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_those_that_do(choice, message):
    rows = {"size": [0.5, 1.5] * 8, "city": ["Rome", "Oslo"] * 8, "y": ["a", "b"] * 8}
    with pytest.raises(ValueError, match=message):
        mbm.plan(rows, "y", **choice)


def test_a_plan_says_which_models_fit(plan):
    assert "these fit too: film, low_rank_fusion" in plan.reasons["model"]
    assert "show_attend_tell" not in plan.reasons["model"]


def test_a_plan_shows_every_stage_and_the_weights_of_labels(plan):
    text = str(dataclasses.replace(plan, class_weight="balanced"))
    for shown in ("unimodal_epochs", "fusion_epochs", "class_weight", "balanced"):
        assert shown in text


@pytest.mark.parametrize(
    "change, message",
    [
        ({"class_weight": "even"}, "class_weight in .*balanced.*'even'"),
        ({"loss": "hinge"}, "loss in .*focal.*'hinge'"),
        ({"loss": "focal", "target_kind": "number"}, "a target of labels for loss"),
        ({"folds": 1}, "folds >= 2"),
    ],
)
def test_a_wrong_choice_is_refused(plan, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(plan, **change)


def test_a_longer_text_is_read_where_the_table_has_them():
    texts = ["word " * (400 if i % 20 == 0 else 50) for i in range(60)]
    rows = {"text": texts, "y": ["a", "b"] * 30}
    planned = mbm.plan(rows, "y", columns={"text": "text"}).inputs["text"]
    assert planned.sizes == {"longest": 448}
    assert planned.reason.startswith("100.0% of the texts fit into 448 words")


def test_a_text_is_read_by_its_grams_where_the_model_takes_any_tower(table, plan):
    planned = plan.inputs["review"]
    assert (planned.preprocessor, planned.tower) == ("WordGrams", "text_wide_deep")
    columns = {"photo": "image"}
    words = mbm.plan(table, "answer", columns=columns, model="low_rank_fusion")
    words = words.inputs["review"]
    assert (words.preprocessor, words.tower) == ("WordIds", None)


def test_many_rows_of_several_inputs_have_towers_without_statistics(
    table, plan, monkeypatch
):
    monkeypatch.setattr(input_plans, "_MANY_ROWS", 1)
    several = mbm.plan(table, "answer", columns={"photo": "image"})
    few, many = plan.inputs["photo"], several.inputs["photo"]
    assert few.tower == "image_statistics" and "statistics" in few.reason
    assert many.tower == "image_cnn" and "statistics" not in many.reason
    # The last grid decides whether the tower can separate shapes.
    assert many.tower_sizes == {"filters": few.tower_sizes["filters"]}
    few, many = plan.inputs["review"], several.inputs["review"]
    assert few.tower == many.tower == "text_wide_deep"
    assert many.tower_sizes["dropout"] < few.tower_sizes["dropout"]


def test_a_plan_whose_model_cannot_read_grams_is_refused(plan):
    with pytest.raises(ValueError, match="WordIds for the text 'review'.*'mcan'"):
        check_model(dataclasses.replace(plan, model="mcan"))


def test_the_longest_text_is_bounded():
    assert sizes.text_length(["word " * 5_000] * 10) == (1_024, 0.0)
    assert sizes.text_length(["字" * 700] * 10)[0] == 704
    assert sizes.text_length(["word " * 9, ""]) == (None, 1.0)


@pytest.mark.parametrize(
    "values, message",
    [
        (
            [datetime.date(2024, 1, 1 + i) for i in range(30)] * 2,
            "Turn it into a number",
        ),
        ([[0.5, 1.5]] * 60, "each number a column of its own"),
    ],
)
def test_a_target_that_no_task_learns_is_an_error(values, message):
    rows = {"text": [f"words and {i % 9}" for i in range(60)], "y": values}
    with pytest.raises(ValueError, match=message):
        mbm.plan(rows, "y", columns={"text": "text"})


def test_an_identifier_is_an_input_where_it_is_asked_for(table):
    plan = mbm.plan(table, "answer", columns={"number": "number", "id": "text"})
    assert plan.columns["number"] == "number" and plan.columns["id"] == "text"


def test_a_plan_survives_json(plan):
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_with_an_unknown_field_is_refused(plan):
    with pytest.raises(ValueError, match="fields of a plan"):
        Plan.from_json({**plan.to_json(), "surprise": 1})


def test_a_plan_is_changed_by_replace_and_stays_as_it_was(plan):
    changed = dataclasses.replace(plan, width=64)
    assert changed.width == 64 and plan.width == 128
    with pytest.raises(ValueError, match="epochs >= 1"):
        dataclasses.replace(plan, epochs=0)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match="seed < 2"):
            dataclasses.replace(plan, seed=seed)


def test_a_plan_shows_itself(plan):
    text, page = str(plan), plan._repr_html_()
    for shown in (
        "review",
        "Pixels(size=32)",
        "left out",
        "film",
        "2 different values",
    ):
        assert shown in text and shown in page


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"fusion": "mix"}, "Expected a fusion in .*film.*Received: 'mix'"),
        ({"model": "net"}, "Expected a model in .*late_fusion.*Received: 'net'"),
        ({"task": "word"}, "Expected a task in .*number.*Received: 'word'"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(choice, message):
    with pytest.raises(ValueError, match=message):
        mbm.plan("rows.csv", "answer", **choice)


def test_a_target_is_needed(table):
    with pytest.raises(ValueError, match="name of the column to learn"):
        mbm.plan(table)


def test_a_tower_learned_something_below_the_loss_of_a_constant_answer():
    assert learned_something({"val_loss": [0.7, 0.6]}, 0.69)
    assert not learned_something({"val_loss": [0.7, 0.68]}, 0.69)


def test_the_text_of_a_sound_is_a_transcript_and_the_sound_is_heard_to_its_end():
    words = ["one two", "two three four", "three one", "two", "one three", "four one"]
    rows = [
        {"sound": wav_bytes(seconds=0.2 + 0.1 * i), "text": text}
        for i, text in enumerate(words)
    ]
    plan = mbm.plan(rows, "text")
    assert plan.target_kind == "transcript" and plan.model == "speech_recognizer"
    sound = plan.inputs["sound"]
    assert sound.tower is None and sound.sizes["variable"]
    assert sound.sizes["seconds"] in (0.66, 0.77)  # the longest may be in validation
    assert plan.members == 1 and plan.learning_rate == 2e-3
    captions = mbm.plan(rows, "text", task="label")
    assert captions.target_kind == "label" and captions.model == "late_fusion"


def test_the_picture_of_a_page_does_not_move_in_training():
    from data_pipelines.batching import row_random
    from mbm_keras.auto import build
    from mbm_keras.auto.plan import InputPlan
    from mbm_keras.inputs import InputSpec

    inputs = {"scan": InputPlan("image", {"scan": "image"}, "Pixels")}
    pixels = np.zeros((4, 40, 40, 3), "uint8")
    pixels[:, 5, 5] = 255
    keys = row_random.keys(0, 0, np.arange(4))
    found = {}
    for model in ("document_extractor", "late_fusion"):
        plan = Plan("y", "label", inputs, model=model)
        changes = build.build_augmentation(plan, [InputSpec("scan", "image")])
        changed = changes["scan"](pixels, keys).numpy().reshape(4, 1_600, 3)
        found[model] = changed.max(axis=2).argmax(axis=1).tolist()
    assert found["document_extractor"] == [205] * 4 != found["late_fusion"]


def test_traits_are_of_models_and_of_arguments_of_their_builders():
    for name, traits in TRAITS.items():
        assert {*traits.given} <= {*inspect.signature(ZOO[name].build).parameters}


def test_intents_without_a_text_name_the_column_that_was_taken_for_another():
    rows = [{"q": ["go", "stay"][i % 2], "y": "ab"[i % 2]} for i in range(20)]
    with pytest.raises(ValueError, match="NAME=text.*'q': 'category'"):
        mbm.plan(rows, "y", task="intent")
