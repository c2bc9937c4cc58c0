"""The command line on a table of another kind, and on everything that is wrong."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from mbm_keras.registry import names
from tests.cli.run import mbm
from tests.cli.run import ok


@pytest.mark.slow
def test_a_number_from_text_numbers_and_categories(tmp_path):
    rng = np.random.default_rng(0)
    age, rome = rng.random(120) * 50, rng.random(120) < 0.5
    pl.DataFrame(
        {
            "note": [("a very good thing", None)[i % 2] for i in range(120)],
            "age": [a if a > 5 else None for a in age],
            "city": [("Rome", "Oslo")[int(r)] for r in rome],
            "price": age * 10 + 100 * rome + 0.5,
        }
    ).write_csv(tmp_path / "rows.csv")
    rows, run = tmp_path / "rows.csv", tmp_path / "run"
    result = ok(
        "train", rows, "--target", "price", "--epochs", 1, "--stages", "standard",
        "--out", run,
    )  # fmt: skip
    assert [*result["stages"]][-2:] == ["fusion", "finetune"]
    assert result["task"] == "regression" and set(result["inputs"]) == {"note", "table"}
    ok("predict", run, rows, "--out", tmp_path / "p.csv")
    prices = pl.read_csv(tmp_path / "p.csv")["price"]
    assert prices.is_finite().all() and prices.n_unique() > 100


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train"], ["train", "nope.csv", "--target", "y"]]
)
def test_help_and_usage_errors_wait_for_nothing_heavy(arguments):
    code = (
        "import atexit, runpy, sys\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn'}\n"
        "atexit.register(lambda: print('heavy:', sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['mbm', *{arguments}]\n"
        "runpy.run_module('mbm_keras.cli', run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "heavy: []", run.stdout + run.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "gone.csv", "--target", "y"], "no table `gone.csv`"),
        (["train", "rows.csv", "--target", "gone"], "no column 'gone'"),
        (["train", "empty.csv", "--target", "y"], "is empty"),
        (["train", "one.csv", "--target", "y"], "1 independent rows"),
        (["train", "rows.csv", "--target", "y", "--column", "a:text"], "NAME=MODALITY"),
        (["train", "rows.csv", "--target", "y", "--column", "a=x"], "Received: ['x']"),
        (["train", "rows.csv", "--target", "y", "--fusion", "mix"], "'mix'"),
        (["train", "rows.csv", "--target", "y", "--out", "full"], "is not empty"),
        (["train", "ragged.csv", "--target", "y"], "more than the 5% allowed"),
        (["train", "out.csv", "--target", "y"], "leaves the table's folder"),
        (["train", "same.csv", "--target", "y"], "Expected two labels or more"),
        (["evaluate", "full", "rows.csv"], "is not a finished run"),
        (["predict", "full", "rows.csv"], "is not a finished run"),
        (["export", "full"], "is not a finished run"),
    ],
)
def test_wrong_input_is_one_clear_line_and_no_traceback(tmp_path, arguments, message):
    rows = "a,y\n" + "".join(f"word number {i},{i % 2}\n" for i in range(40))
    (tmp_path / "rows.csv").write_text(rows)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "one.csv").write_text("a,y\nsome words here,1\n")
    (tmp_path / "ragged.csv").write_text(rows + "x\n" * 3)
    (tmp_path / "same.csv").write_text(rows.replace(",1\n", ",0\n"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("")
    inside = tmp_path / "in"
    inside.mkdir()
    outside = "a,y\n" + "".join(f"../../p{i}.png,{i % 2}\n" for i in range(40))
    (inside / "out.csv").write_text(outside)
    arguments = [a if a != "out.csv" else "in/out.csv" for a in arguments]
    run = mbm(*arguments, cwd=tmp_path)
    assert run.returncode == 2, run.stderr
    assert message in run.stderr.replace("\n", " ")
    assert "Traceback" not in run.stderr


def test_help_lists_all_models_and_fusions():
    text = " ".join(mbm("train", "--help").stdout.split())
    for folder in ("models", "fusion"):
        for name in names(f"mbm_keras.{folder}"):
            assert name in text


@pytest.mark.parametrize("command", ["inspect", "train", "evaluate", "predict", "pack"])
def test_help_names_all_kinds_of_tables(command):
    text = " ".join(mbm(command, "--help").stdout.split())
    for kind in ("CSV", "Parquet", "shards", "tars"):
        assert kind in text


def test_the_version_is_shown():
    ended = mbm("--version")
    assert ended.returncode == 0 and ended.stdout.startswith("mbm ")


def test_a_full_disk_is_said(tmp_path):
    from mbm_keras.cli.reporting import reporting

    with pytest.raises(BaseException) as error, reporting(False):
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
    assert error.value.exit_code == 2
