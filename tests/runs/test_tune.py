"""A search over plans: resumed, pruned, and an ordinary run at its end."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from mbm_keras import runs
from mbm_keras.runs.study import choose_space
from mbm_keras.runs.study import open_study
from tests.cli.run import mbm

optuna = pytest.importorskip("optuna")
SPACE = {"learning_rate": (1e-3, 1e-2), "width": [8, 16]}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    age = rng.random(90)
    return {"age": age, "size": rng.random(90), "y": np.where(age > 0.5, "a", "b")}


@pytest.fixture(scope="module")
def plan(table):
    found = runs.plan(table, target="y")
    return dataclasses.replace(found, epochs=2, width=8, fitted_heads=False, members=1)


@pytest.fixture(scope="module")
def searched(table, plan, tmp_path_factory):
    """The folder of a search, its result, and a trial in which it was killed."""
    folder = tmp_path_factory.mktemp("search") / "tuned"
    arguments = dict(plan=plan, out=folder, space=SPACE, verbose=0)
    first = runs.tune(table, trials=2, **arguments)
    study = open_study(folder / "study.db", plan, choose_space(plan, SPACE), 0)
    killed = study.ask()
    killed.suggest_float("learning_rate", 1e-3, 1e-2, log=True)
    killed.suggest_categorical("width", [8, 16])
    return folder, first, killed


@pytest.mark.slow
def test_the_best_run_is_an_ordinary_run_and_the_first_trial_the_plan(searched, plan):
    folder, result, _ = searched
    assert len(result["trials"]) == 2
    assert result["trials"][0]["choices"] == {
        "learning_rate": plan.learning_rate,
        "width": plan.width,
    }
    run = runs.load(result["run"])
    assert run.plan.width == result["best"]["choices"]["width"]
    assert run.metrics["splits"]["valid"]["accuracy"] == pytest.approx(
        result["best"]["value"], abs=1e-6
    )
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png") >= 2 and "learning_rate" in page


def test_a_search_that_was_killed_in_a_trial_asks_for_it_again(searched, plan):
    folder, _, killed = searched
    study = open_study(folder / "study.db", plan, choose_space(plan, SPACE), 0)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "WAITING"]
    assert study.ask().suggest_float(
        "learning_rate", 1e-3, 1e-2, log=True
    ) == pytest.approx(killed.params["learning_rate"])


def test_another_search_in_the_folder_is_refused(searched, table, plan):
    with pytest.raises(ValueError, match="other arguments"):
        runs.tune(table, plan=plan, out=searched[0], space={"width": [8, 32]})


def test_a_bad_trial_is_ended_at_an_epoch():
    from mbm_keras.runs.prune import Prune

    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1)
    )
    good = study.ask()
    good.report(0.9, 0)
    study.tell(good, 0.9)
    callback = Prune(study.ask(), "accuracy", stages=2, end=None)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_accuracy": 0.1})  # a stage that is not compared
    callback.on_train_begin()
    with pytest.raises(optuna.TrialPruned):
        callback.on_epoch_end(0, {"val_accuracy": 0.1})


def test_what_cannot_be_searched_is_refused(plan):
    with pytest.raises(ValueError, match="learning_rate"):
        choose_space(plan, ["gone"])
    with pytest.raises(ValueError, match="seed"):
        choose_space(plan, {"seed": [1, 2]})
    with pytest.raises(ValueError, match="empty"):
        choose_space(plan, {})


def test_without_optuna_it_says_what_to_install(table, plan, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install mbm-keras\[tune\]"):
        runs.tune(table, plan=plan, out=tmp_path / "x")


def test_the_command_refuses_an_unknown_choice(tmp_path, table):
    columns = zip(*table.values(), strict=True)
    rows = [dict(zip(table, row, strict=True)) for row in columns]
    path = tmp_path / "rows.json"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    ended = mbm("tune", path, "--target", "y", "--search", "gone", cwd=tmp_path)
    assert ended.returncode == 2 and "learning_rate" in ended.stderr
