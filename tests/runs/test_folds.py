"""Cross-validation: a run per fold, the spread, and what happens when it stops."""

import dataclasses

import pytest

import mbm_keras as mbm
from mbm_keras.cli.lines import train_lines
from mbm_keras.runs import steps
from mbm_keras.runs.folds import summarize

pytestmark = pytest.mark.slow


def make_rows():
    """Forty-eight rows of twelve speakers, and eight rows of test."""
    return [
        {
            "x": float(i % 2) + i / 100,
            "y": "ab"[i % 2],
            "speaker": f"s{i // 4}",
            "split": "test" if i >= 48 else "train",
        }
        for i in range(56)
    ]


@pytest.fixture(scope="module")
def plan():
    planned = mbm.plan(make_rows(), "y", group="speaker", folds=3, epochs=2)
    return dataclasses.replace(planned, width=8, members=1)


@pytest.fixture(scope="module")
def stopped(plan, tmp_path_factory):
    """The folder of a run that stopped in its second fold, and when files changed."""
    out = tmp_path_factory.mktemp("folds") / "run"
    with pytest.MonkeyPatch.context() as patch:
        fit = steps.fit

        def stop(plan, features, encoder, rows, samples, folder, verbose):
            if folder.parent.name == "2":
                raise KeyboardInterrupt
            return fit(plan, features, encoder, rows, samples, folder, verbose)

        patch.setattr(steps, "fit", stop)
        with pytest.raises(KeyboardInterrupt):
            mbm.train(make_rows(), plan=plan, out=out, baselines=False, verbose=0)
    return out, (out / "folds/1/metrics.json").stat().st_mtime_ns


@pytest.fixture(scope="module")
def run(plan, stopped):
    return mbm.train(make_rows(), plan=plan, out=stopped[0], baselines=False, verbose=0)


def test_a_finished_fold_is_not_trained_again(run, stopped):
    assert (run.folder / "folds/1/metrics.json").stat().st_mtime_ns == stopped[1]


def test_each_fold_is_a_run_that_is_validated_on_its_rows(run):
    figures = run.metrics["folds"]["figures"]
    assert [fold["rows"] for fold in figures.values()] == [16, 16, 16]
    for fold in "123":
        metrics = mbm.load(run.folder / "folds" / fold).metrics
        assert metrics["splits"]["valid"] == figures[fold]
        assert metrics["splits"]["test"]["rows"] == 8 and "folds" not in metrics


def test_the_run_itself_is_trained_as_without_folds(run):
    assert run.metrics["splits"]["train"]["rows"] == 40
    assert run.metrics["splits"]["test"]["rows"] == 8


def test_mean_and_deviation_are_in_lines_and_report(run):
    folds = run.metrics["folds"]
    assert "3 folds, accuracy" in "\n".join(train_lines(run.metrics))
    assert f"{folds['mean']['accuracy']:.4f} ± " in str(run)
    assert "Cross-validation" in run.report.read_text()


def test_a_figure_that_a_fold_lacks_has_no_mean():
    found = summarize(
        {"1": {"rows": 3, "a": 1.0, "b": None}, "2": {"a": 2.0, "b": 1.0}}
    )
    assert found["mean"] == {"a": 1.5}
    assert found["deviation"]["a"] == pytest.approx(0.5**0.5)


def test_folds_and_a_table_for_validation_do_not_go_together(tmp_path):
    with pytest.raises(ValueError, match="either folds or a second table"):
        mbm.train(make_rows(), "y", valid=make_rows(), folds=3, out=tmp_path / "run")


def test_more_folds_than_groups_are_refused(plan, tmp_path):
    many = dataclasses.replace(plan, folds=13)
    with pytest.raises(ValueError, match="folds=13, 12 independent"):
        mbm.train(make_rows(), plan=many, out=tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()
