"""A published pair of encoders is searched and asked without training."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mbm_keras as mbm
from mbm_keras.auto import build
from mbm_keras.tasks import Association
from tests.cli.run import mbm as command
from tests.encoders.checkpoints import PAIRS
from tests.helpers import assert_same

COLORS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny CLIP with a tokenizer and settings, and a folder of pictures."""
    path = tmp_path_factory.mktemp("pairs")
    shutil.copytree(PAIRS / "clip", path / "clip")
    pieces = ["[PAD]", "[UNK]", "a", "photo", "of", *COLORS]
    pieces += [f"w{i}" for i in range(58 - len(pieces))] + ["[CLS]", "[SEP]"]
    (path / "clip" / "vocab.txt").write_text("\n".join(pieces))
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 16},
        "crop_size": {"height": 16, "width": 16},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 3,
    }
    (path / "clip" / "preprocessor_config.json").write_text(json.dumps(settings))
    (path / "pictures").mkdir()
    for name, color in COLORS.items():
        pixels = np.full((20, 24, 3), color, "uint8")
        Image.fromarray(pixels).save(path / "pictures" / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def pair(folder):
    return mbm.load(folder / "clip")


@pytest.mark.slow
def test_names_of_classes_are_answered_at_once(pair, folder):
    frame = pair.zero_shot(folder / "pictures", ["red", "green"], templates=["a {}"])
    assert frame["item"].to_list() == ["blue.png", "green.png", "red.png"]
    shares = frame.select("probability_red", "probability_green").to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    expected = expected_logits(pair, folder, ["a red", "a green"], frame["item"])
    expected = np.exp(expected - expected.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def expected_logits(pair, folder, texts, items):
    """What the two encoders together say, by `mbm_keras.weights.load` alone."""
    reader = pair.features.by_name["text"]
    pixels = pair.features.by_name["image"]
    files = [(folder / "pictures" / name).read_bytes() for name in items]
    images = pixels.decode(tf.constant(files))[0]
    inputs = {**reader.encode(tf.constant(texts)), "pixels": images}
    return np.asarray(mbm.weights.load(folder / "clip")(inputs)["logits_per_image"])


@pytest.mark.slow
def test_is_indexed_and_searched(folder, tmp_path):
    out = str(tmp_path / "index")
    command("index", str(folder / "clip"), str(folder / "pictures"), "--out", out)
    (one,) = mbm.search(out, "a photo of red", k=3)["queries"]
    assert one["by"] == "text" and len(one["found"]) == 3
    picture = str(folder / "pictures" / "blue.png")
    (one,) = mbm.search(out, picture, k=1)["queries"]
    assert one["found"] == [{"item": "blue.png", "score": 1.0}]


@pytest.mark.slow
def test_an_index_of_other_weights_is_refused(folder, tmp_path):
    shutil.copytree(folder / "clip", tmp_path / "clip")
    mbm.index(tmp_path / "clip", folder / "pictures", tmp_path / "index")
    path = tmp_path / "clip" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="made by another model"):
        mbm.search(tmp_path / "index", "red")


@pytest.mark.slow
def test_is_served_from_raw_values(pair, tmp_path):
    assert pair.export(tmp_path / "served")["compared_rows"] == 2


@pytest.mark.slow
def test_a_run_says_what_it_is(pair):
    assert "PublishedRun" in str(pair) and pair.is_association
    assert pair.plan.model == "dual_encoder"


@pytest.mark.slow
def test_a_folder_with_one_encoder_is_no_run():
    with pytest.raises(ValueError, match="clap, clip, siglip.*'bert'"):
        mbm.load(PAIRS.parent / "data" / "bert")


@pytest.fixture(scope="module")
def captions(folder):
    """A table of captions and pictures."""
    (folder / "photos").mkdir()
    lines = ["caption,photo"]
    for i in range(36):
        name = list(COLORS)[i % 3]
        pixels = np.full((20, 24, 3), COLORS[name], "uint8") + np.uint8(i)
        Image.fromarray(pixels).save(folder / "photos" / f"{i}.png")
        lines.append(f"a photo of {name} w{i},photos/{i}.png")
    (folder / "rows.csv").write_text("\n".join(lines))
    return folder / "rows.csv"


def towers(folder):
    return {"caption": str(folder / "clip"), "photo": str(folder / "clip")}


@pytest.mark.slow
@pytest.mark.parametrize("tune", [None, "adapters", "full"])
def test_a_pair_learns_what_belongs_together(captions, folder, tmp_path, tune):
    run = mbm.train(
        captions,
        associate=("caption", "photo"),
        towers=towers(folder),
        tune=tune,
        epochs=2,
        out=tmp_path / "run",
        verbose=0,
    )
    assert run.metrics["splits"]["valid"]["rows"] > 0
    frame = run.zero_shot(folder / "pictures", ["red", "green"])
    assert len(frame) == 3
    mbm.index(run, folder / "pictures", tmp_path / "index")
    (one,) = mbm.search(tmp_path / "index", "a photo of red", k=3)["queries"]
    assert len(one["found"]) == 3
    assert run.export(tmp_path / "served")["compared_rows"] > 0


@pytest.mark.slow
def test_a_pair_that_learns_begins_as_it_was_published(captions, folder, pair):
    plan = mbm.plan(
        captions,
        associate=("caption", "photo"),
        towers=towers(folder),
        tune="full",
    )
    assert (plan.width, plan.loss) == (6, "clip")
    features = build.build_features(plan)
    features.adapt({"caption": ["a photo of red w35"]})
    model = build.build_model(plan, features.inputs(), Association(6, plan.target))
    ids, _ = features.by_name["caption"].decode(tf.constant(["a photo of red"]))
    x = {"caption": ids, "photo": np.zeros((1, 16, 16, 3)), "present": [[True, False]]}
    x = {name: np.asarray(value) for name, value in x.items()}
    expected = pair.features.by_name["text"].decode(tf.constant(["a photo of red"]))[0]
    own = model(x)[plan.target][:, 0]
    assert_same(own[:, :-2], pair.encoders["text"](expected), 1e-5)


@pytest.mark.slow
def test_nothing_to_tune_is_an_error(captions):
    with pytest.raises(ValueError, match="published encoder to tune.*tune='full'"):
        mbm.plan(captions, associate=("caption", "photo"), tune="full")
