"""`export` to LiteRT and ONNX: what is written, compared and refused."""

import json
import types

import numpy as np
import polars as pl
import pytest

from mbm_keras.cli import lines
from mbm_keras.export import network
from mbm_keras.runs.network import check_format
from mbm_keras.runs.network import export_network
from tests.cli.run import mbm


@pytest.fixture(scope="module")
def table(noted, tmp_path_factory):
    """Rows with targets, as a file."""
    path = tmp_path_factory.mktemp("check") / "test.csv"
    pl.DataFrame(noted[0][:40]).write_csv(path)
    return path


@pytest.mark.parametrize("kind", ["litert", "onnx"])
def test_the_file_has_the_figures_of_the_model(kind, noted, table, tmp_path):
    if kind == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    result = noted[1].export(tmp_path / "out", format=kind, check=table)
    assert result["compared_rows"] == 40 and result["largest_difference"] < 1e-4
    for one in result["figures"].values():
        assert one["file"] == pytest.approx(one["model"], abs=1e-4)
    assert "accuracy" in result["figures"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        network.FORMATS[kind], "arrays.json", "README.md", "model_card.md",
        "preprocessing",
    }  # fmt: skip
    card = (tmp_path / "out" / "model_card.md").read_text()
    assert "40 real rows" in card and network.FORMATS[kind] in card


def test_eight_bits_say_what_they_lose(noted, table, tmp_path):
    result = noted[1].export(tmp_path / "o", format="litert", int8=True, check=table)
    assert result["figures"]["accuracy"].keys() == {"model", "file"}
    shown = lines.export_lines(result)
    assert any(
        line.startswith("accuracy ") and "of the model" in line for line in shown
    )


def test_weights_that_are_denormal_have_eight_bits_too(noted, table, tmp_path):
    run = noted[1]
    kernel = next(v for v in run.model.variables if v.path.endswith("kernel"))
    before = kernel.numpy()
    try:
        kernel.assign(np.full(before.shape, 1e-44, "float32"))
        result = export_network(run, tmp_path / "o", "litert", True, table)
        assert result["compared_rows"] == 40
        assert kernel.numpy().max() > 0  # the model is as it was
    finally:
        kernel.assign(before)


def test_a_file_that_answers_differently_is_not_written(noted, tmp_path, monkeypatch):
    answer = network.answer

    def differ(predict, inputs):
        return {name: out + 1e-2 for name, out in answer(predict, inputs).items()}

    monkeypatch.setattr(network, "answer", differ)
    with pytest.raises(ValueError, match="return what the Keras model does.*0.01"):
        noted[1].export(tmp_path / "out", format="litert")
    assert not (tmp_path / "out").exists()


def test_a_file_that_answers_nan_is_not_written(noted, tmp_path, monkeypatch):
    answer = network.answer

    def lose(predict, inputs):
        return {name: out * np.nan for name, out in answer(predict, inputs).items()}

    monkeypatch.setattr(network, "answer", lose)
    with pytest.raises(ValueError, match="a difference of nan"):
        noted[1].export(tmp_path / "out", format="litert")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--format", "tflite"], "Expected the format saved_model, litert or onnx"),
        (["--format", "onnx", "--int8"], "the format litert for weights of 8 bits"),
        (["--format", "litert", "--int8"], "to measure what they lose"),
        (["--check", "test.csv"], "a SavedModel has the weights of the run"),
    ],
)
def test_options_that_do_not_go_together_are_refused(noted, options, message, tmp_path):
    ended = mbm("export", noted[1].folder, "--out", tmp_path / "out", *options)
    assert ended.returncode == 2 and message in ended.stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_an_association_has_nothing_to_check_on():
    run = types.SimpleNamespace(is_association=True, folder="pairs")
    with pytest.raises(ValueError, match="a run with a target.*`pairs`, an assoc"):
        check_format(run, "litert", False, "rows.csv")


def test_the_arrays_of_a_run_are_described(noted, tmp_path):
    noted[1].export(tmp_path / "out", format="litert")
    described = json.loads((tmp_path / "out" / "arrays.json").read_text())
    assert set(described["inputs"]) == {t.name for t in noted[1].model.inputs}
