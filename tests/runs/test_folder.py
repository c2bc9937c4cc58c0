"""A run folder: which runs it accepts, and what is said of damage in it."""

import copy
import json
import shutil
import zipfile

import numpy as np
import pytest

import mbm_keras as mbm
from data_pipelines import files
from mbm_keras import runs
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import steps

TABLE = {"rows": 9, "split": "s", "columns": {"x": "1", "y": "2"}, "files": {"x": "3"}}
ARGUMENTS = {
    "table": "rows.csv",
    "valid": None,
    "read": {"table": TABLE, "valid": None},
    "plan": {"seed": 0, "inputs": {"x": {"sizes": {"size": 8}, "reason": "why"}}},
    "stream": None,
}


def change(value, path, new):
    """A copy of nested dicts with another value at `a.b.c`."""
    value = copy.deepcopy(value)
    *names, last = path.split(".")
    inner = value
    for name in names:
        inner = inner[name]
    inner[last] = new
    return value


@pytest.fixture
def interrupted(tmp_path):
    (tmp_path / "run").mkdir()
    assert not run_folder.prepare(tmp_path / "run", ARGUMENTS)
    return tmp_path / "run"


@pytest.mark.parametrize(
    "path, new",
    [("table", "../moved/rows.csv"), ("plan.inputs.x.reason", "other words")],
)
def test_a_moved_table_and_other_reasons_are_the_same_run(interrupted, path, new):
    run_folder.check_free(interrupted, change(ARGUMENTS, path, new))


@pytest.mark.parametrize(
    "path, new, message",
    [
        ("plan.seed", 1, "with other arguments: plan.seed was 0 and is now 1"),
        ("plan.inputs.x.sizes.size", 9, "plan.inputs.x.sizes.size was 8 and is now 9"),
        ("stream", True, "stream was None and is now True"),
        ("read.table.rows", 8, "the table: it had 9 rows and now has 8"),
        ("read.table.columns.y", "9", "the table: the column 'y' changed"),
        ("read.table.files.x", "9", "the table: the files of the column 'x' changed"),
        ("read.table.split", "t", "the table: the splits changed"),
        ("read.valid", TABLE, "with other arguments: valid"),
    ],
)
def test_what_differs_from_an_interrupted_run_is_named(interrupted, path, new, message):
    with pytest.raises(ValueError) as error:
        run_folder.check_free(interrupted, change(ARGUMENTS, path, new))
    text = str(error.value)
    assert "an interrupted run" in text and message in text and "delete this" in text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plan": 1, "read": 2}'])
def test_a_damaged_beginning_is_one_line(interrupted, text):
    (interrupted / "run.json").write_text(text)
    with pytest.raises(ValueError, match="run.json`( is damaged|. Received: list)"):
        run_folder.check_free(interrupted, ARGUMENTS)


def test_what_a_killed_process_left_does_not_block(tmp_path):
    (tmp_path / f"{files.UNFINISHED}-1234-run.json").write_text("{")
    assert not run_folder.prepare(tmp_path, ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "rows.csv"
    rows = [
        f"{i % 9 / 4},{'red' if i % 3 else 'blue'},{'ab'[i % 2]}" for i in range(48)
    ]
    path.write_text("\n".join(["x,color,y", *rows]) + "\n")
    return path


def train(table, out):
    return mbm.train(table, "y", out=out, epochs=1, baselines=False, verbose=0)


@pytest.fixture(scope="module")
def run(fit_once, table):
    return train(table, table.parent / "run")


def test_the_same_call_again_returns_the_finished_run(run, table, capsys):
    (run.folder / "stages").mkdir()  # of a process that ended before it was removed
    before = run.metrics
    again = train(table, run.folder)
    assert again.metrics == before and not (run.folder / "stages").exists()
    assert "is finished already" in capsys.readouterr().err


def test_the_same_call_on_another_table_is_refused(run, table, tmp_path):
    text = table.read_text()
    swapped = (
        text.replace(",a\n", ",?\n").replace(",b\n", ",a\n").replace(",?\n", ",b\n")
    )
    (tmp_path / "rows.csv").write_text(swapped)
    with pytest.raises(ValueError, match="finished run of.*the column 'y' changed"):
        train(tmp_path / "rows.csv", run.folder)


def test_two_trainings_at_once_are_refused(table, tmp_path):
    (tmp_path / "run").mkdir()
    again = pytest.raises(ValueError, match="Another process is writing to")
    with files.lock(tmp_path / "run"), again:
        train(table, tmp_path / "run")


def test_predictions_remove_nothing_and_replace_no_table(run, table, tmp_path):
    (tmp_path / "p.csv.decoded").mkdir()
    (tmp_path / "p.csv.decoded" / "mine").write_text("")
    runs.write_predictions(run, table, tmp_path / "p.csv", stream=True)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["p.csv", "p.csv.decoded", "p.csv.decoded/mine"]
    (tmp_path / "link.csv").symlink_to(table)
    for out in (table, tmp_path / "link.csv", tmp_path):
        with pytest.raises(ValueError, match="not a folder or the table itself"):
            runs.write_predictions(run, table, out)


def test_a_run_folder_may_be_a_link(fit_once, table, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    run = train(table, tmp_path / "run")
    assert (tmp_path / "run").is_symlink() and (tmp_path / "disk/metrics.json").exists()
    again = train(table, tmp_path / "disk")
    assert again.metrics == run.metrics


def test_a_run_folder_that_is_removed_while_it_trains_is_an_error(
    fit_once, table, tmp_path, monkeypatch
):
    fit = steps.fit

    def fit_without_folder(*arguments):
        shutil.rmtree(tmp_path / "run")
        return fit(*arguments)

    monkeypatch.setattr(steps, "fit", fit_without_folder)
    with pytest.raises(FileNotFoundError, match="run folder was removed"):
        train(table, tmp_path / "run")


def edit(name, path, new):
    def change_file(folder):
        file = folder / name
        file.write_text(json.dumps(change(json.loads(file.read_text()), path, new)))

    return change_file


def truncate(name, size):
    def cut(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * size)])

    return cut


def edit_model(old, new):
    """Replaces text in the graph of the model."""

    def change_model(folder):
        with zipfile.ZipFile(folder / "model.keras") as file:
            members = {name: file.read(name) for name in file.namelist()}
        assert old in members["config.json"]
        members["config.json"] = members["config.json"].replace(old, new)
        with zipfile.ZipFile(folder / "model.keras", "w") as file:
            for name, data in members.items():
                file.writestr(name, data)

    return change_model


def other_weights(folder):
    import keras

    x = keras.Input((3,), name="table")
    model = keras.Model([x], {"y": keras.layers.Dense(5)(x)})
    model.save(folder / "model.keras")


MEAN = "inputs.table.numbers.x.mean"
EDITS = [
    (edit("run.json", "plan.epochs", "many"), "run.json", "plan"),
    (edit("run.json", "plan.unknown", 1), "run.json", "unknown"),
    (edit("run.json", "plan.model", "os.system"), "run.json", "os.system"),
    (edit("run.json", "plan", []), "run.json", "plan"),
    (
        edit("features.json", MEAN, "m"),
        "features.json",
        "table",
    ),
    (edit("features.json", "inputs.table.preprocessor", "os"), "features.json", "'os'"),
    (edit("features.json", "inputs.table.unknown", 1), "features.json", "unknown"),
    (edit("features.json", "inputs.table", 5), "features.json", "table"),
    (edit("features.json", "inputs.table.numbers", {}), "features.json", "color"),
    (edit("features.json", "inputs", None), "features.json", "damaged"),
    (edit("targets.json", "y.vocabulary", ["a"]), "targets.json", "1 labels"),
    (edit("targets.json", "y.vocabulary", [1, 2]), "targets.json", "y"),
    (edit("targets.json", "y.unknown", 1), "targets.json", "unknown"),
    (edit("targets.json", "y.target", "Popen"), "targets.json", "Popen"),
    (edit("targets.json", "y.dtype", []), "targets.json", "dtype"),
    (edit("targets.json", "y", 3), "targets.json", "y"),
    (edit("columns.json", "x", "smell"), "columns.json", "smell"),
    (edit("columns.json", "z", "text"), "columns.json", "'z'"),
    (edit("sample.json", "x", 3), "sample.json", "x"),
    (truncate("columns.json", 0.5), "columns.json", "damaged"),
    (truncate("metrics.json", 0.5), "metrics.json", "damaged"),
    (truncate("model.keras", 0.5), "model.keras", "damaged"),
    (truncate("model.keras", 0), "model.keras", "damaged"),
    (edit_model(b'"Dense"', b'"Nense"'), "model.keras", "Nense"),
    (
        edit_model(b'"module": "keras.layers"', b'"module": "os.path.no"'),
        "model.keras",
        "damaged",
    ),
    (other_weights, "model.keras", "y"),
    *(
        (lambda folder, name=name: (folder / name).unlink(), name, "")
        for name in ("features.json", "targets.json", "columns.json", "model.keras")
    ),
]


@pytest.mark.parametrize("damage, file, words", EDITS)
def test_an_edited_folder_is_one_line_with_file_and_entry(
    run, tmp_path, damage, file, words
):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    damage(folder)
    with pytest.raises(ValueError) as error:
        found = mbm.load(folder)
        found.saved, found.metrics  # noqa: B018 - read on first use
    text = str(error.value)
    assert file in text and words in text and "\n" not in text.strip(), text


def test_the_run_that_is_edited_is_good(run):
    loaded = mbm.load(run.folder)
    assert np.isfinite(loaded.model.get_weights()[0]).all()
    assert loaded.saved.columns == {"x": "number", "color": "category"}


def test_edited_figures_are_named_where_a_run_is_shown(tmp_path):
    (tmp_path / "metrics.json").write_text('{"splits": 3}')
    with pytest.raises(ValueError, match=r"metrics\.json` is damaged or was edited"):
        str(runs.run.Run(tmp_path))
