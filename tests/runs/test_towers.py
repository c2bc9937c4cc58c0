"""A published encoder for a column: planned, trained, kept and served."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import mbm_keras as mbm
from mbm_keras.auto import budget
from tests.encoders.checkpoints import DATA


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiny encoders of texts and images, and a table of both."""
    path = tmp_path_factory.mktemp("towers")
    shutil.copytree(DATA / "bert", path / "bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "a", "thing"]
    pieces = [*words, *(f"w{i}" for i in range(60 - len(words)))]
    (path / "bert" / "vocab.txt").write_text("\n".join(pieces))
    shutil.copytree(DATA / "vit", path / "vit")
    settings = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 16, "width": 16},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 2,
    }
    (path / "vit" / "preprocessor_config.json").write_text(json.dumps(settings))
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        color = ["red", "green"][i % 2]
        pixels = rng.integers(0, 99, (20, 20, 3), dtype=np.uint8)
        pixels[..., i % 2] += 150
        Image.fromarray(pixels).save(path / f"{i}.png")
        text = f"a {color} thing" if i % 3 else "a thing"
        rows.append({"review": text, "photo": f"{i}.png", "answer": color})
    (path / "rows.json").write_text(json.dumps(rows))
    return path


@pytest.fixture(scope="module")
def run(folder):
    plan = mbm.plan(
        folder / "rows.json",
        "answer",
        epochs=4,
        towers={"review": str(folder / "bert"), "photo": str(folder / "vit")},
    )
    return mbm.train(
        folder / "rows.json", plan=plan, out=folder / "run", baselines=False, verbose=0
    )


def test_a_text_keeps_its_words_and_an_image_is_encoded(run):
    assert list(run.plan.inputs) == ["review", "photo", "review_embedding"]
    assert run.plan.inputs["photo"].preprocessor == "Embedding"
    assert "bert" in str(run.plan)


def test_the_model_learns_from_the_embeddings(run):
    assert run.metrics["splits"]["valid"]["accuracy"] > 0.8
    only = [row for row in run.metrics["subsets"] if row["inputs"] == ["photo"]]
    assert only[0]["accuracy"] > 0.7


def test_a_finished_run_needs_the_folders_no_more(run, folder):
    for name in ("bert", "vit"):
        (folder / name).rename(folder / f"{name}-gone")
    try:
        again = mbm.Run(folder / "run")
        answers = again.predict(folder / "rows.json")
        exported = again.export(folder / "served")
    finally:
        for name in ("bert", "vit"):
            (folder / f"{name}-gone").rename(folder / name)
    assert len(answers) == 60 and exported["compared_rows"] > 0


@pytest.mark.parametrize(
    ("towers", "message"),
    [
        ({"answer": "bert"}, "'answer'"),
        ({"review": "nowhere"}, "nowhere"),
        ({"photo": "bert"}, "preprocessor_config.json"),
    ],
)
def test_what_is_no_encoder_of_a_column_is_refused(folder, towers, message):
    towers = {name: str(folder / path) for name, path in towers.items()}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        mbm.plan(folder / "rows.json", "answer", towers=towers)


@pytest.fixture(scope="module", params=["adapters", "full"])
def tuned(request, folder):
    towers = {"review": str(folder / "bert"), "photo": str(folder / "vit")}
    plan = mbm.plan(
        folder / "rows.json", "answer", epochs=3, towers=towers, tune=request.param
    )
    out = folder / request.param
    return mbm.train(
        folder / "rows.json", plan=plan, out=out, baselines=False, verbose=0
    )


def test_an_encoder_that_learns_is_a_tower_of_one_model(tuned):
    assert list(tuned.plan.inputs) == ["review", "photo", "review_embedding"]
    assert tuned.metrics["members"] == 1
    assert {x.name for x in tuned.model.inputs} >= {"review_embedding", "photo"}
    assert tuned.metrics["splits"]["valid"]["accuracy"] > 0.7


def test_a_tuned_run_is_served(tuned, folder):
    (folder / "bert").rename(folder / "bert-gone")
    try:
        exported = tuned.export(folder / f"served-{tuned.plan.tune}")
        assert len(mbm.Run(tuned.folder).predict(folder / "rows.json")) == 60
    finally:
        (folder / "bert-gone").rename(folder / "bert")
    assert exported["compared_rows"] > 0


def test_tuning_needs_a_model_that_takes_towers(folder):
    towers = {"review": str(folder / "bert")}
    for arguments, message in (
        (dict(model="film"), "late_fusion.*film"),
        (dict(tune="some"), "tune in .*'some'"),
    ):
        arguments = {"tune": "full", **arguments}
        with pytest.raises(ValueError, match=message):
            mbm.plan(folder / "rows.json", "answer", towers=towers, **arguments)


@pytest.mark.slow
def test_an_interrupted_run_with_another_encoder_is_refused(folder, tmp_path):
    shutil.copytree(folder / "bert", tmp_path / "bert")
    choices = dict(towers={"review": str(tmp_path / "bert")}, epochs=1, verbose=0)
    out = tmp_path / "run"
    rows = folder / "rows.json"
    mbm.train(rows, "answer", out=out, baselines=False, **choices)
    (out / "metrics.json").unlink()  # as if it had been interrupted
    path = tmp_path / "bert" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="another content of the encoder of 'review_e"):
        mbm.train(rows, "answer", out=out, baselines=False, **choices)


@pytest.mark.parametrize("tune", ["adapters", "full"])
def test_few_rows_have_one_model_where_an_encoder_learns(folder, monkeypatch, tune):
    monkeypatch.setattr(budget, "MEMBERS", ((1_500, 5),))
    towers = {"photo": str(folder / "vit")}
    plan = mbm.plan(folder / "rows.json", "answer", towers=towers, tune=tune)
    assert plan.members == 1
