"""Published pairs of encoders as a `dual_encoder`, without training."""

import keras
import numpy as np
import pytest

from mbm_keras.layers.unit_embeddings import unpack
from mbm_keras.models import dual_encoder
from mbm_keras.tasks.association import pairs_of
from mbm_keras.weights import load
from mbm_keras.weights import open_folder
from tests.encoders.checkpoints import PAIRS
from tests.encoders.checkpoints import read
from tests.helpers import assert_same

KINDS = {"clip": "image", "siglip": "image", "clap": "audio"}
SIZES = {"audio": {"frames": 120, "num_mel_bins": 8}}
every_pair = pytest.mark.parametrize("name", KINDS)
quiet = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def halves(name):
    """Inputs of both encoders, and the logits of two texts with two others."""
    logits = np.load(PAIRS / name / "expected_pair.npz")["out_logits_per_text"]
    both = {}
    for part in ("text", KINDS[name]):
        inputs, _ = read(PAIRS / name / f"expected_{part}.npz")
        both |= {key: x[:2] for key, x in inputs.items()}
    return both, logits


@quiet
@every_pair
def test_logits_are_those_of_transformers(name):
    inputs, logits = halves(name)
    changes = {"audio": {"frames": 120}} if name == "clap" else None
    y = load(PAIRS / name, changes=changes)(inputs)
    assert_same(y["logits_per_text"], logits, 1e-5)
    if name != "clap":  # whose sounds have a scale of their own
        assert_same(y[f"logits_per_{KINDS[name]}"], logits.T, 1e-5)


@quiet
@every_pair
def test_a_dual_encoder_has_the_same_logits(name, tmp_path):
    inputs, logits = halves(name)
    model, task = dual_encoder.load(
        PAIRS / name, sizes=SIZES if name == "clap" else None
    )
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    packed = model(rows_of(inputs, KINDS[name]))[task.name]
    ((found, both, _),) = pairs_of(np.tile([[0], [1]], 2), packed)
    if name == "clap":  # the scale of the sounds instead of that of the texts
        tensors = open_folder(PAIRS / name).tensors
        scales = [float(tensors[f"logit_scale_{x}"].read()) for x in "at"]
        logits = logits * np.exp(scales[0] - scales[1])
    assert_same(found, logits, 1e-5)
    assert np.asarray(both).all()


@quiet
def test_each_half_embeds_by_itself():
    inputs, _ = halves("clip")
    model, task = dual_encoder.load(PAIRS / "clip")
    rows = rows_of(inputs, "image")
    embeddings, _, _ = unpack(model(rows)[task.name])
    for i, part in enumerate(("text", "image")):
        encoder = dual_encoder.encoder_of(model, task, part)
        assert_same(encoder(rows[part]), embeddings[:, i], 1e-6)


def test_a_single_encoder_is_no_pair():
    with pytest.raises(ValueError, match="clap, clip, siglip.*'bert'"):
        dual_encoder.load(PAIRS.parent / "data" / "bert")


def test_changes_of_a_pair_are_by_part():
    with pytest.raises(ValueError, match="by part, text and image.*image_size"):
        load(PAIRS / "clip", changes={"image_size": (16, 16)})


def rows_of(inputs, other):
    """As a dual encoder takes them: ids and 0 for padding, the other as it is."""
    ids = np.where(inputs["mask"], inputs["token_ids"] + 1, 0).astype("int32")
    (x,) = (inputs[k] for k in ("pixels", "spectrogram") if k in inputs)
    return {"text": ids, other: x, "present": np.ones((len(x), 2), bool)}
