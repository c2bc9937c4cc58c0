"""The way of a row from file to loss, as `docs/architecture.md` tells it."""

import importlib
import pathlib
import re

import pytest

import mbm_keras as mbm

# Module and function of each step, in the order of `docs/architecture.md`.
STEPS = (
    ("data_pipelines.sources", "open_table"),
    ("mbm_keras.auto.planner", "make_plan"),
    ("mbm_keras.auto.build", "build_features"),
    ("data_pipelines.decoding.decode", "decode"),
    ("mbm_keras.auto.build", "build_model"),
    ("mbm_keras.auto.stages", "stages_of"),
    ("mbm_keras.training", "fit_stages"),
    ("mbm_keras.evaluation", "subsets_of_several"),
    ("mbm_keras.runs.folder", "save"),
    ("mbm_keras.evaluation", "write_report"),
)


@pytest.fixture
def calls(monkeypatch):
    """Names of the functions that were called, in order."""
    seen = []

    def spy(module, name):
        real = getattr(module, name)

        def call(*arguments, **options):
            seen.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    for module, name in STEPS:
        spy(importlib.import_module(module), name)
    return seen


@pytest.mark.slow
def test_a_row_goes_through_each_room_once(calls, tmp_path):
    lines = [f"the box is {'red' if i % 2 else 'blue'},{i % 2}\n" for i in range(40)]
    (tmp_path / "rows.csv").write_text("".join(["text,y\n", *lines]))
    choices = dict(out=tmp_path / "run", epochs=1, members=1, baselines=False)
    mbm.train(tmp_path / "rows.csv", "y", **choices, verbose=0)
    assert calls == [name for _, name in STEPS]


def test_the_architecture_names_these_functions():
    root = pathlib.Path(__file__).parent.parent
    page = (root / "docs/architecture.md").read_text()
    way = page.split("## The way of a row")[1].split("\n## ")[0]
    steps = re.findall(r"^\d+\. ", way, flags=re.M)
    assert len(steps) == 10
    for _, name in STEPS:
        assert f"{name}`" in way, name
