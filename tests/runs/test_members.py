"""Several models of one run: folds, given validation rows, a limit of time."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import mbm_keras as mbm
from data_pipelines.decoding.samples import Samples
from mbm_keras import training
from mbm_keras.auto import budget
from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.plan import Plan
from mbm_keras.inputs import InputSpec
from mbm_keras.models import late_fusion
from mbm_keras.runs import members
from mbm_keras.runs import steps
from mbm_keras.tasks import Classification


def make_rows(number=60, split=False):
    rows = [
        {
            "x": float(i % 2) + i / 100,
            "z": float(i % 5),
            "y": "ab"[i % 2],
            "speaker": f"s{i // 5}",
        }
        for i in range(number)
    ]
    names = ["train", "train", "valid", "train", "train"]
    return (
        [{**row, "split": names[i % 5]} for i, row in enumerate(rows)]
        if split
        else rows
    )


def train(tmp_path, rows, baselines=False, **choices):
    plan = mbm.plan(rows, "y", epochs=1, group="speaker", members=2)
    plan = dataclasses.replace(plan, width=8, **choices)
    return mbm.train(
        rows, plan=plan, out=tmp_path / "run", baselines=baselines, verbose=0
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("members"), make_rows(), True)


def test_every_row_is_for_training_and_validates_one_model(run):
    rows = {name: part["rows"] for name, part in run.metrics["splits"].items()}
    assert rows == {"train": 60, "valid": 60}
    assert run.metrics["members"] == 2
    assert [name[:2] for name in run.metrics["stages"]] == ["1,", "2,"]


def test_the_figures_without_some_inputs_and_of_baselines_are_of_the_same_rows(run):
    assert run.metrics["subsets"][0]["rows"] == 60
    valid = run.metrics["splits"]["valid"]
    assert run.metrics["subsets"][0]["accuracy"] == pytest.approx(valid["accuracy"])
    assert run.metrics["baselines"][0]["accuracy"] == pytest.approx(0.5, abs=0.2)


def test_the_model_is_the_mean_of_the_members(run):
    names = [layer.name for layer in run.model.layers]
    members = [name for name in names if name.startswith("member")]
    assert members == ["member_1", "member_2"]
    assert len(run.predict([{"x": 1.0, "z": 2.0}])) == 1


def test_an_export_is_checked_with_real_rows(run, tmp_path):
    assert run.export(tmp_path / "served")["compared_rows"] > 0


def test_the_weights_of_the_heads_are_said(run):
    assert list(run.metrics["weights"]) == [
        "table",
        "table (linear)",
        "table (boosting)",
        "table (forest)",
        "fusion",
    ]
    assert sum(run.metrics["weights"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_given_validation_rows_stay_with_every_model(tmp_path):
    run = train(tmp_path, make_rows(split=True))
    rows = {name: part["rows"] for name, part in run.metrics["splits"].items()}
    assert rows == {"train": 48, "valid": 12} and run.metrics["members"] == 2


def test_a_run_that_stopped_at_its_second_model_ends_with_the_same_weights(
    run, tmp_path, monkeypatch
):
    fit = members._fit_one

    def stop(*arguments):
        if arguments[-3] == 1:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr(members, "_fit_one", stop)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, make_rows())
    monkeypatch.undo()
    again = train(tmp_path, make_rows())
    for one, other in zip(run.model.weights, again.model.weights, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.slow
def test_a_limit_of_time_keeps_the_models_so_far(tmp_path):
    run = train(tmp_path, make_rows(), minutes=1e-4)
    assert run.metrics["members"] == 1
    assert run.metrics["splits"]["valid"]["rows"] == 30


@pytest.mark.parametrize(
    "wrong", [{"members": 0}, {"stages": "both"}, {"minutes": 0.0}]
)
def test_wrong_choices_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        Plan("y", "label", {}, **wrong)


def test_fewer_rows_get_smaller_batches_and_more_epochs():
    few, many = 200, 20_000
    assert budget.batch_size(few)[0] < budget.batch_size(many)[0]
    assert budget.epochs(few, 16, {}, 5)[0] > budget.epochs(many, 64, {}, 1)[0]


def test_few_rows_get_several_models_as_far_as_they_are_cheap(monkeypatch):
    monkeypatch.setattr(budget, "MEMBERS", ((1_500, 5),))
    assert budget.members(200, {}, "late_fusion")[0] == 5
    assert budget.members(12_000, {}, "late_fusion")[0] == 1
    assert budget.members(200, {}, "film")[0] == 1
    image = InputPlan("image", {"a": "image"}, "Pixels", {"size": 128})
    images = dict.fromkeys("abcd", image)
    assert 1 < budget.members(200, images, "late_fusion")[0] < 5
    assert budget.epochs(400, 32, images, 3)[0] < budget.epochs(400, 32, {}, 3)[0]


def test_figures_of_validation_are_without_the_heads_that_learned_from_all_rows(
    tmp_path,
):
    plan = Plan("y", "label", {}, members=2)
    specs = [InputSpec("x", "vector", {"size": 2})]
    parts = [
        [make_samples(range(start, start + 20)) for start in several]
        for several in ((0, 20), (20, 0))
    ]
    model = late_fusion.build(
        inputs=specs,
        task=Classification(2, name="y"),
        width=4,
        balance={"calibrate": True, "fitted": True},
    )
    task, other = Classification(2, name="y"), keras.models.clone_model(model)
    chosen = [
        training.fit_heads(m, a.batches(20), b.batches(20), task=task)
        for m, (a, b) in zip((model, other), parts, strict=True)
    ]
    before = members._learn_from_all([model, other], parts, chosen, plan, task)
    fitted = members.Fitted(model, [model, other], parts, {}, {}, before)
    (of_all,), (again,) = training.get_heads(model), training.get_heads(other)
    assert all(map(np.array_equal, of_all, again))
    with fitted.unseen():
        (first,), (second,) = training.get_heads(model), training.get_heads(other)
    assert not np.array_equal(first[0], second[0])  # each has its own rows
    (after,) = training.get_heads(model)
    assert all(map(np.array_equal, of_all, after))


def make_samples(numbers):
    x = np.array([[i % 2, i / 10] for i in numbers], "float32")
    labels = np.array([i % 2 for i in numbers], "int32")
    return Samples.from_arrays({"x": x}, {"y": labels}, ids=np.array(numbers))


@pytest.mark.parametrize("shared", [True, False])
def test_folds_share_files_where_the_splits_of_the_table_do(tmp_path, shared):
    for i in range(20):
        Image.new("RGB", (8, 8), (i, 10, 20)).save(tmp_path / f"{i}.png")
    rows = [
        {
            "photo": str(tmp_path / f"{i % 20}.png"),
            "split": "test" if (i > 60 if shared else i % 20 > 15) else "train",
            "y": "ab"[i % 3 == 0],
        }
        for i in range(80)
    ]
    plan = dataclasses.replace(mbm.plan(rows, "y", allow_outside=True), members=4)
    table = steps.open_rows(rows, "y", allow_outside=True)
    train = make_samples(table.rows[table.split == "train"].tolist())
    found = members.member_rows(plan, table, {"train": train})
    files = [[{(i - 1) % 20 for i in part.ids} for part in parts] for parts in found]
    assert all(bool(train & valid) == shared for train, valid in files)
