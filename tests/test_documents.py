"""Every snippet of the README and of `docs/` runs, in the order of the page."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import polars as pl
import pytest

from data_pipelines import pack
from data_pipelines import sources
from data_pipelines.datasets import keypad
from tests.helpers import clip_bytes
from tests.serving.conftest import export_small

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
# Sizes of a page, and those that show in seconds that the snippet runs.
SMALLER = {
    r"\bepochs=\d+": "epochs=1",
    r"\brows=[\d_]+\)": "rows=120)",
    r"\brows=2_000,": "rows=164,",
    r"unimodal=4, fusion=4, finetune=8": "unimodal=0, fusion=0, finetune=1",
    r'fusion="gated"': 'fusion="gated", unimodal_epochs=0, fusion_epochs=0',
    r'"rows.csv", target="answer"\n\)  # run': (
        '"rows.csv", target="answer", epochs=1, baselines=False)  # run'
    ),
    r'out="gated"': 'out="gated", baselines=False',
    r"\bbatch\(100\)": "batch(4)",
    r"\bskip\(100\)": "skip(4)",
}


def snippets(page):
    """The Python code of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.S)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp("tables")
    keypad.write(folder, rows=240)
    frame = pl.read_csv(folder / "rows.csv")
    for suffix, column in (("png", "digit"), ("wav", "tone")):
        (folder / f"0.{suffix}").write_bytes((folder / frame[column][0]).read_bytes())
    pack(sources.open_table(folder / "rows.csv"), folder / "shards", kind="tfrecord")
    for i in range(4):
        (folder / f"{i}.avi").write_bytes(clip_bytes())
    clips = {"clip": [f"{i}.avi" for i in range(4)], "answer": ["a", "b"] * 2}
    pl.DataFrame(clips).write_csv(folder / "clips.csv")
    pl.DataFrame({"id": [1, 2], "word": ["a", "b"]}).write_csv(folder / "words.csv")
    photos = pl.DataFrame({"id": [2, 3], "photo": ["0.png", "0.png"]})
    photos.write_parquet(folder / "photos.parquet")
    shutil.copytree(ROOT / "tests" / "weights" / "data" / "gpt2", folder / "gpt2")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)])
def test_every_snippet_runs(page, tables, tmp_path, monkeypatch):
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    if page == "docs/serving.md":
        pytest.importorskip("fastapi")
        export_small(tmp_path / "served")
    if page == "docs/scale.md":
        return run_on_four_devices(snippets(page))
    names = {"png_bytes": (tmp_path / "0.png").read_bytes(), "__name__": "__page__"}
    for code in snippets(page):
        for size, small in SMALLER.items():
            code = re.sub(size, small, code)
        exec(compile(code, page, "exec"), names)
    assert os.listdir(tmp_path)


def run_on_four_devices(codes):
    """Runs snippets on JAX, those of several processes in one process."""
    code = "\n".join(codes).replace('"10.0.0.1:7000", processes=2, process=0', "")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_the_commands_of_the_readme_exist():
    from mbm_keras.cli import app

    known = {command.callback.__name__ for command in app.registered_commands}
    text = (ROOT / "README.md").read_text()
    used = set(re.findall(r"^mbm (\w+)", text, flags=re.M))
    assert used and used <= known


def test_links_of_the_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(
            r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text()
        ):
            assert (ROOT / page).parent.joinpath(target).exists(), (page, target)
