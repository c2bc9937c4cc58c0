"""Both halves of CLIP, SigLIP and CLAP give what `transformers` gives."""

import json

import keras
import numpy as np
import pytest

from mbm_keras.encoders import clip_text
from mbm_keras.encoders import siglip_image
from mbm_keras.encoders import siglip_text
from mbm_keras.weights import load
from mbm_keras.weights import open_folder
from tests.encoders.checkpoints import PAIRS
from tests.encoders.checkpoints import read
from tests.helpers import assert_same
from tests.helpers import on_jax
from tests.weights.conftest import write_tensors

HALVES = sorted(
    (path.parent.name, path.stem.removeprefix("expected_"))
    for path in PAIRS.glob("*/expected_*.npz")
    if path.stem != "expected_pair"
)
every_half = pytest.mark.parametrize("name, part", HALVES)
quiet = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def half(name, part, dtype=None, **changes):
    if part == "audio":
        changes["frames"] = 120
    return load(PAIRS / name, part=part, changes=changes, dtype=dtype)


def expected(name, part):
    return read(PAIRS / name / f"expected_{part}.npz")


@quiet
@every_half
def test_sequence_and_embedding_are_those_of_transformers(name, part):
    inputs, outputs = expected(name, part)
    y = half(name, part)(inputs)
    assert_same(y["sequence"], outputs["last_hidden_state"], 1e-5)
    assert_same(y["embedding"], outputs["embedding"], 1e-5)


@quiet
@every_half
def test_bfloat16_agrees_within_its_precision(name, part):
    inputs, outputs = expected(name, part)
    y = half(name, part, "bfloat16")(inputs)["sequence"]
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    y = np.asarray(keras.ops.cast(y, "float32"))
    difference = np.abs(y - outputs["last_hidden_state"])
    assert difference.max() < 0.1 and difference.mean() < 0.015


@quiet
@every_half
def test_is_saved_and_loaded(name, part, tmp_path):
    inputs, _ = expected(name, part)
    encoder = half(name, part)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert_same(encoder(inputs), loaded(inputs), 0)


@quiet
@pytest.mark.parametrize("name", ["clap", "clip", "siglip"])
def test_what_pads_a_text_has_no_effect_on_it(name):
    inputs, _ = expected(name, "text")
    encoder = half(name, "text")
    batch = encoder(inputs)
    for i, length in enumerate(inputs["mask"].sum(axis=1)):
        alone = encoder({key: x[i : i + 1, :length] for key, x in inputs.items()})
        steps = int(np.sum(batch["mask"][i]))
        assert_same(batch["sequence"][i, :steps], alone["sequence"][0, :steps])
        assert_same(batch["embedding"][i], alone["embedding"][0])


@pytest.mark.parametrize("name", ["clip", "siglip"])
@pytest.mark.parametrize("size", ["large", "small"])
def test_positions_of_another_size_are_interpolated(name, size):
    arrays = np.load(PAIRS / name / "resized.npz")
    pixels = arrays[f"in_{size}"].transpose(0, 2, 3, 1)
    y = half(name, "image", image_size=pixels.shape[1:3])({"pixels": pixels})
    assert_same(y["sequence"], arrays[f"out_{size}"], 1e-5)
    assert_same(y["embedding"], arrays[f"embedding_{size}"], 1e-5)


def test_tensors_of_the_other_part_are_not_reported(recwarn):
    for part in ("image", "text"):
        load(PAIRS / "clip", part=part)
    assert not [x for x in recwarn if "not used" in str(x.message)]


@pytest.mark.parametrize(
    "part, other, kind",
    [("text", "vis", "clip_text_model"), ("image", "text", "clip_vision_model")],
)
def test_a_half_of_clip_may_be_alone_in_a_folder(part, other, kind, tmp_path):
    both = open_folder(PAIRS / "clip")
    config = both.config["text_config" if part == "text" else "vision_config"]
    config = {**config, "model_type": kind, "projection_dim": 6}
    tensors = {k: x.read() for k, x in both.tensors.items() if not k.startswith(other)}
    tensors.pop("logit_scale")
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_tensors(tmp_path / "model.safetensors", tensors)
    inputs, outputs = expected("clip", part)
    assert_same(load(tmp_path)(inputs)["embedding"], outputs["embedding"], 1e-5)


def test_old_files_of_clip_end_a_text_with_the_highest_id():
    assert clip_text.from_config({"text_config": {"eos_token_id": 2}})["end_id"] is None
    inputs, outputs = expected("clip", "text")
    y = half("clip", "text", end_id=None)(inputs)
    assert_same(y["embedding"], outputs["embedding"], 1e-5)


def test_the_first_token_at_an_end_counts():
    at_end = clip_text.TokenAtEnd(end_id=3)
    x = np.arange(8, dtype="float32").reshape(2, 4, 1)
    ids = np.array([[1, 3, 3, 9], [5, 1, 2, 3]], "int32")
    assert at_end(x, ids).numpy().tolist() == [[1.0], [7.0]]


def test_a_long_text_of_siglip_is_cut():
    cut = siglip_text.FixedLength(2, padding_id=1)
    ids, valid = cut(np.array([[7, 8, 9]], "int32"), np.array([[True, True, True]]))
    assert ids.numpy().tolist() == [[7, 8]]
    assert valid.numpy().tolist() == [[True, True]]


def test_siglip_without_a_pooling_is_an_error():
    with pytest.raises(ValueError, match="vision_use_head=False"):
        siglip_image.from_config({"vision_config": {"vision_use_head": False}})


@pytest.mark.slow
def test_every_half_agrees_on_jax():
    on_jax(
        """
import keras, numpy as np, warnings
from tests.encoders import test_pairs
warnings.simplefilter("ignore")
assert keras.backend.backend() == "jax"
for name, part in test_pairs.HALVES:
    inputs, outputs = test_pairs.expected(name, part)
    y = test_pairs.half(name, part).predict(inputs, verbose=0)
    for ours, theirs in ("sequence", "last_hidden_state"), ("embedding", "embedding"):
        np.testing.assert_allclose(y[ours], outputs[theirs], atol=1e-5, err_msg=name)
"""
    )
