"""The command line on real files: the whole way, and everything that is wrong."""

import json
import signal
import subprocess
import time

import numpy as np
import polars as pl
import pytest

import mbm_keras
from data_pipelines.datasets import keypad
from tests.cli.run import MBM
from tests.cli.run import mbm
from tests.cli.run import mbm_process
from tests.cli.run import ok


def assert_same_weights(left, right):
    """The models of two runs have the same weights, bit for bit."""
    one, two = (mbm_keras.load(path).model for path in (left, right))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Some epochs, so that a run can be stopped between them.
ONE_MODEL = ("--members", 1, "--epochs", 4, "--no-baselines")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small table of the quickstart, some of it broken, and a run on it."""
    folder = tmp_path_factory.mktemp("cli")
    keypad.write(folder, rows=240)
    frame = pl.read_csv(folder / "rows.csv")
    (folder / "cut.png").write_bytes((folder / frame["digit"][0]).read_bytes()[:90])
    (folder / "bad.wav").write_bytes(b"RIFF0000WAVE")
    digit = frame["digit"].to_list()
    tone = frame["tone"].to_list()
    digit[1], digit[2], tone[3], tone[5] = "cut.png", "gone.png", "bad.wav", None
    frame = frame.with_columns(digit=pl.Series(digit), tone=pl.Series(tone))
    frame.write_csv(folder / "rows.csv")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    result = ok(
        "train", folder / "rows.csv", "--target", "answer",
        "--out", folder / "run", *ONE_MODEL, run=mbm_process,
    )  # fmt: skip
    return folder / "run", result


@pytest.mark.slow
def test_train_accounts_for_every_row(folder, run):
    path, result = run
    kept = sum(split["rows"] for split in result["splits"].values())
    assert result["rows"] == 204 and result["quarantined"] == 3 and kept == 201
    aside = pl.read_csv(path / "quarantine.csv")
    assert aside["row"].to_list() == [2, 3, 4]
    assert aside["column"].to_list() == ["digit", "digit", "tone"]
    assert "no such file" in aside["reason"][1]
    assert [*result["stages"]] == ["training"]
    assert len(result["subsets"]) == 7
    files = {item.name for item in path.iterdir()}
    assert files == {
        "columns.json", "features.json", "history.json", "metrics.json", "model.keras",
        "quarantine.csv", "report.html", "run.json", "sample.json", "targets.json",
    }  # fmt: skip


@pytest.mark.slow
def test_evaluate_predict_and_export_on_another_place(folder, run, tmp_path):
    path, _ = run
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for item in path.iterdir():
        (moved / item.name).write_bytes(item.read_bytes())

    test = pl.read_csv(folder / "test.csv")
    answers = test["answer"].cast(pl.String).to_list()
    answers[0] = "eleven"
    test = test.with_columns(answer=pl.Series(answers))
    test.write_csv(folder / "strange.csv")
    result = ok("evaluate", moved, folder / "strange.csv")
    assert result["rows"] == 36 and result["quarantined"] == 1
    assert {"accuracy", "loss", "subsets"} <= set(result)

    result = ok("predict", moved, folder / "rows.csv", "--out", tmp_path / "p.csv")
    frame = pl.read_csv(tmp_path / "p.csv")
    assert len(frame) == 204 == result["answered"] and result["unanswered"] == 0
    assert frame["status_digit"][1] == "corrupt" and frame["status_tone"][5] == "absent"
    assert frame["answer"].null_count() == 0 and "no such file" in frame["note"][2]

    result = ok("export", moved, "--out", tmp_path / "served")
    assert result["largest_difference"] < 1e-4 and result["compared_rows"] == 8
    again = mbm("export", moved, "--out", tmp_path / "served")
    assert again.returncode == 2 and "is not empty" in again.stderr


@pytest.mark.slow
def test_from_disk_it_is_the_same_run(folder, run, tmp_path):
    result = ok(
        "train", folder / "rows.csv", "--target", "answer", "--stream",
        "--out", tmp_path / "run", *ONE_MODEL, run=mbm_process,
    )  # fmt: skip
    assert result["quarantined"] == 3 and result["splits"] == run[1]["splits"]
    assert not (tmp_path / "run/cache").exists()
    assert_same_weights(run[0], tmp_path / "run")


@pytest.mark.slow
def test_packed_rows_are_the_rows_they_were(folder, run, tmp_path):
    shards = tmp_path / "shards"
    result = ok("pack", folder / "rows.csv", "--out", shards, "--shard-megabytes", 1)
    assert result["rows"] == 204 and result["quarantined"] == 1
    assert result["packed"] == 203
    inspected = ok("inspect", shards, "--target", "answer", "--deep")
    assert inspected["rows"] == 203 and inspected["broken_rows"] == 2
    ok("pack", folder / "test.csv", "--out", tmp_path / "tar", "--kind", "tar")
    one = ok("evaluate", run[0], folder / "test.csv")
    for more in ([], ["--stream"]):
        other = ok("evaluate", run[0], tmp_path / "tar", *more)
        assert other["loss"] == pytest.approx(one["loss"]) and other["rows"] == 36


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(folder, run, tmp_path):
    arguments = [
        "train", folder / "rows.csv", "--target", "answer",
        "--out", tmp_path / "run", *ONE_MODEL,
    ]  # fmt: skip
    process = subprocess.Popen(
        [*MBM, *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.time() + 300
    while process.poll() is None and time.time() < deadline:
        if any(tmp_path.glob("run/stages/*/state.json")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors[-2_000:]
    assert "Repeat the command to continue" in errors

    unfinished = mbm("evaluate", tmp_path / "run", folder / "test.csv")
    assert "was interrupted" in unfinished.stderr
    other = mbm(*arguments, "--seed", 1)
    assert other.returncode == 2 and "other arguments" in other.stderr

    finished = mbm_process(*arguments)
    assert finished.returncode == 0, finished.stderr[-2_000:]
    history = json.loads((tmp_path / "run/history.json").read_text())
    assert len(history["training"]["loss"]) == 4

    assert_same_weights(run[0], tmp_path / "run")


@pytest.mark.slow
def test_inspect_lists_what_is_missing_and_unreadable(folder):
    result = ok("inspect", folder / "rows.csv", "--target", "answer")
    columns = result["columns"]
    assert columns["digit"]["modality"] == "image"
    assert (
        columns["tone"] | {"modality": "audio", "missing": 1, "unreadable": 1}
        == (columns["tone"])
    )
    assert columns["digit"]["unreadable"] == 2 and result["broken_rows"] == 3
    assert sum(result["balance"]["answer"].values()) == 204
