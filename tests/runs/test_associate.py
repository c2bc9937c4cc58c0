"""Runs without a target: what belongs together."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

import mbm_keras as mbm
from mbm_keras.preprocessing import Matches

PAIR = ("caption", "photo")


def test_finds_what_belongs_together(squares):
    _, run = squares
    figures = run.metrics["splits"]["valid"]
    assert figures["recall_at_1"] > 2 * figures["chance_at_1"]
    low, high = run.metrics["interval"]
    assert low <= figures["recall_at_1"] <= high
    assert {"caption to photo, recall_at_5", "photo to caption, median_rank"} <= set(
        figures
    )


def test_a_run_is_finished_and_not_trained_again(squares, capsys):
    table, run = squares
    again = mbm.train(
        table, associate=PAIR, out=run.folder, epochs=12, batch_size=20, augment=False
    )
    assert "finished already" in capsys.readouterr().err
    assert again.metrics == run.metrics
    assert "associate" not in json.loads((run.folder / "run.json").read_text())


def test_the_report_and_the_lines_show_recall(squares):
    _, run = squares
    assert "recall_at_1" in run.report.read_text()
    assert "caption to photo, recall at 1" in str(run)


def test_rows_that_lack_an_input_are_kept(squares):
    _, run = squares
    assert run.metrics["rows"] == 72 and run.metrics["quarantined"] == 0
    assert run.metrics["values"]["rows"]["caption"]["missing"] == 1


def test_evaluates_a_table(squares):
    table, run = squares
    result = run.evaluate(table)
    assert result["evaluated"] == 72
    assert result["recall_at_10"] > result["chance_at_10"]


def test_predicts_how_well_the_inputs_of_a_row_match(squares):
    table, run = squares
    photo = str(table.parent / "0.png")
    rows = [
        {"caption": "a red square", "photo": photo},
        {"caption": "a blue square", "photo": photo},
        {"caption": "a red square", "photo": ""},
    ]
    answers = run.predict(rows, allow_outside=True)["association"].to_list()
    assert answers[0] > answers[1] and answers[2] is None


def test_is_served_with_an_endpoint_for_each_input(squares, tmp_path):
    table, run = squares
    run.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    photo = (table.parent / "0.png").read_bytes()
    embed = served.signatures["embed_photo"]
    answer = embed(photo=tf.constant([photo, b"", b"no image"]))
    assert answer["status"].numpy().tolist() == [b"ok", b"absent", b"corrupt"]
    lengths = np.linalg.norm(answer["embedding"].numpy(), axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 0], atol=1e-5)
    pixels = run.features.decode_input("photo", tf.constant([photo]))[0]
    right = np.asarray(run.encoders["photo"](pixels))
    np.testing.assert_allclose(answer["embedding"][:1].numpy(), right, atol=1e-4)
    text = served.signatures["embed_caption"](caption=tf.constant(["a red box"]))
    assert text["embedding"].shape == right.shape
    listed = json.loads((tmp_path / "served/assets.extra/signature.json").read_text())
    assert listed["embeddings"] == {"embed_caption": "caption", "embed_photo": "photo"}


def test_the_plan_can_be_changed_and_followed(squares, tmp_path):
    table, _ = squares
    plan = mbm.plan(table, associate=PAIR, loss="siglip", epochs=1)
    assert plan.target_column is None and list(plan.columns) == list(PAIR)
    assert "siglip" in str(plan)
    again = type(plan).from_json(json.loads(json.dumps(plan.to_json())))
    assert again.to_json() == plan.to_json()
    for change in (dict(folds=3), dict(members=2), dict(stages="standard")):
        with pytest.raises(ValueError, match="neither class_weight, folds, members"):
            dataclasses.replace(plan, **change)


@pytest.mark.parametrize(
    "choices, message",
    [
        (dict(associate=["caption"]), "two columns or more.*Received: associate=.'cap"),
        (dict(associate=["caption", "caption"]), "each of them once"),
        (dict(associate="caption,photo"), "a list of columns.*associate='caption,pho"),
        (dict(associate=PAIR, target="photo"), "either a target, a plan, or a list"),
        (dict(associate=PAIR, members=3), "needs a target.*Received: members=3"),
        (dict(associate=PAIR, loss="focal"), "loss in .'clip', 'siglip'.*loss='focal'"),
        (dict(associate=["caption", "smell"]), "no column 'smell'"),
        (dict(), "the name of the column to learn, or `associate`"),
    ],
)
def test_wrong_choices_are_errors(squares, choices, message):
    with pytest.raises(ValueError, match=message):
        mbm.plan(squares[0], **choices)


def test_an_output_has_a_name_that_no_column_has(tmp_path):
    rows = [{"association": f"word {i}", "other": f"text {i}"} for i in range(20)]
    kinds = {"association": "text", "other": "text"}
    plan = mbm.plan(rows, associate=list(kinds), columns=kinds)
    assert plan.target == "association_2"


def test_values_are_numbered_by_what_they_are():
    columns = [["a", "b", "a", None], [1, 1, 2, None]]
    numbers = Matches().encode(columns)
    assert numbers.tolist() == [[0, 0], [1, 0], [0, 1], [-1, -1]]


def test_copies_of_a_file_are_one_value(squares):
    from data_pipelines import decode
    from data_pipelines import sources
    from mbm_keras.runs.associate import name_values

    table, run = squares
    (table.parent / "copy.png").write_bytes((table.parent / "0.png").read_bytes())
    path = table.parent / "copies.csv"
    photos = ["0.png", "copy.png", "1.png"]
    pl.DataFrame({"caption": ["x", "y", ""], "photo": photos}).write_csv(path)
    rows = sources.open_table(path, columns=run.saved.columns, inputs=list(PAIR))
    samples, _, _ = decode(rows, run.features)
    captions, files = name_values(rows, run.features, samples)
    assert captions == ["x", "y", None]
    assert files[0] == files[1] != files[2]
