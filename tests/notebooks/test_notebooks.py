"""Every notebook runs from top to bottom, on a small source, and is stored clean."""

import pathlib

import nbclient
import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
STAGES = (
    "ROWS, UNIMODAL, FUSION, FINETUNE = 8_000, 4, 4, 8",
    "ROWS, UNIMODAL, FUSION, FINETUNE = 200, 0, 0, 1",
)
SETTINGS = {  # lines in the notebook, and the lines that this test runs
    "01_first_model.ipynb": [STAGES],
    "02_your_own_table.ipynb": [STAGES, ("verbose=0)", "verbose=0, baselines=False)")],
    "03_captions.ipynb": [("ROWS, EPOCHS = 8_000, 10", "ROWS, EPOCHS = 100, 1")],
    "04_separate_speakers.ipynb": [
        (
            "ROWS, MIXTURES, EPOCHS = 8_000, 3_000, 5",
            "ROWS, MIXTURES, EPOCHS = 1_000, 164, 1",
        ),
    ],
    "05_intents_and_slots.ipynb": [
        ("ROWS, EPOCHS = 1_200, 20", "ROWS, EPOCHS = 240, 1")
    ],
    "06_documents.ipynb": [("ROWS, EPOCHS = 400, 12", "ROWS, EPOCHS = 60, 1")],
    "07_speech_to_text.ipynb": [("ROWS, EPOCHS = 600, 30", "ROWS, EPOCHS = 60, 1")],
    "08_clips_with_sound.ipynb": [("ROWS, EPOCHS = 1_200, 10", "ROWS, EPOCHS = 60, 1")],
    "09_questions_about_images.ipynb": [
        ("ROWS, EPOCHS = 4_000, 20", "ROWS, EPOCHS = 100, 1")
    ],
}


def test_there_are_notebooks():
    assert NOTEBOOKS == sorted(SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_on_a_small_source(name, tmp_path):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    for full, small in SETTINGS[name]:
        settings = [cell for cell in notebook.cells if full in cell.source]
        assert len(settings) == 1
        settings[0].source = settings[0].source.replace(full, small)
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
