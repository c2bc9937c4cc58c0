"""A small run with what can be said about its rows."""

import dataclasses
import pathlib

import numpy as np
import pytest
from PIL import Image

import mbm_keras as mbm
from mbm_keras.runs import steps

_TRAINED = {"fit_once", "noted", "run", "squares", "tuned"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test with one of the fixtures that train is slow."""
    folder = pathlib.Path(__file__).parent
    for item in items:
        if folder in item.path.parents and _TRAINED & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


def make_noted_rows():
    """Eighty rows: long texts, missing numbers, an identifier, odd names."""
    return [
        {
            "id": f"doc-{i * 37 % 1000}",
            "text": " ".join(["so"] * (12 if i % 8 == 0 else 3)) + f" {'ab'[i % 2]}",
            "age": None if i % 10 == 3 else float(i % 7),
            "city": ["Rome", "Oslo", ""][i % 3],
            "row": f"mine {i}",
            "note": f"seen by {i % 4}",
            "probability": "same",
            "answer": ["no", "$^$"][i % 2] if i else "yes",
        }
        for i in range(80)
    ]


@pytest.fixture(scope="module")
def fit_once():
    """The first run of a module trains; others of the same rows get its models."""
    fit, found = steps.fit, []

    def fit_or_take(*arguments):
        if not found:
            found.append(fit(*arguments))
        return found[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "fit", fit_or_take)
        yield


@pytest.fixture(scope="session")
def noted(tmp_path_factory):
    """Its rows, and a run on them that balances labels, with texts of five words."""
    rows = make_noted_rows()
    plan = mbm.plan(
        rows, "answer", columns={"row": "ignore"}, epochs=1, class_weight="balanced",
        loss="focal", task="label",
    )  # fmt: skip
    text = plan.inputs["text"]
    short = type(text)(text.modality, text.columns, text.preprocessor, {"longest": 5})
    plan = dataclasses.replace(
        plan, inputs={**plan.inputs, "text": short}, width=8, unimodal_epochs=0,
        fusion_epochs=0,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("noted") / "run"
    return rows, mbm.train(rows, plan=plan, out=out, verbose=0)


COLORS = {
    "red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200),
    "yellow": (220, 220, 40), "white": (240, 240, 240), "black": (10, 10, 10),
}  # fmt: skip


def write_squares(folder, rows=72):
    """A table of captions and pictures of one color; some rows lack one of them."""
    rng = np.random.default_rng(0)
    lines = ["caption,photo"]
    for i in range(rows):
        name = list(COLORS)[i % len(COLORS)]
        pixels = np.clip(rng.normal(COLORS[name], 12, (16, 16, 3)), 0, 255)
        Image.fromarray(pixels.astype("uint8")).save(folder / f"{i}.png")
        kind = ("square", "box", "tile")[i % 3]
        caption = "" if i == 10 else f"a {name} {kind} number {i}"
        lines.append(f"{caption},{'' if i == 11 else f'{i}.png'}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder / "rows.csv"


@pytest.fixture(scope="session")
def squares(tmp_path_factory):
    """Its table, and a run that associates captions and photos."""
    table = write_squares(tmp_path_factory.mktemp("squares"))
    run = mbm.train(
        table,
        associate=("caption", "photo"),
        out=table.parent.parent / "squares_run",
        epochs=12,
        batch_size=20,
        augment=False,
        verbose=0,
    )
    return table, run
