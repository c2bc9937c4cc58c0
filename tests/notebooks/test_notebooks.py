"""Every notebook runs from top to bottom, on a small source, and is stored clean."""

import pathlib

import nbclient
import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
FULL = "ROWS, ALONE, FUSED, TUNED = 8_000, 4, 4, 8"
SMALL = "ROWS, ALONE, FUSED, TUNED = 200, 1, 1, 1"


def test_there_are_notebooks():
    assert NOTEBOOKS == ["01_first_model.ipynb", "02_your_own_table.ipynb"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_on_a_small_source(name, tmp_path):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    settings = [cell for cell in notebook.cells if FULL in cell.source]
    assert len(settings) == 1
    settings[0].source = settings[0].source.replace(FULL, SMALL)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert pictures


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_is_stored_without_output(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            assert "def " not in cell.source and "class " not in cell.source
