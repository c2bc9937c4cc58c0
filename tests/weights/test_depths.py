"""Embeddings of a text encoder from several depths."""

import keras
import numpy as np
import pytest

from mbm_keras.weights import load
from mbm_keras.weights.depths import embed_depths
from tests.encoders.checkpoints import DATA
from tests.encoders.checkpoints import PAIRS
from tests.encoders.checkpoints import read

TEXTS = {
    **{name: DATA / name for name in ("bert", "distilbert", "modernbert", "mpnet")},
    **{f"{name} text": PAIRS / name for name in ("clip", "siglip")},
}
quiet = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def opened(name):
    """An encoder, and inputs of it."""
    part = name.partition(" ")[2] or None
    file = f"expected{'_' + part if part else ''}.npz"
    return load(TEXTS[name], part=part), read(TEXTS[name] / file)[0]


@quiet
@pytest.mark.parametrize("name", TEXTS)
def test_an_embedding_has_three_depths_of_length_1(name):
    encoder, inputs = opened(name)
    deep = embed_depths(encoder)(inputs)
    own = np.asarray(encoder(inputs)["embedding"])
    width = encoder.output["sequence"].shape[-1]
    x = np.asarray(deep["embedding"])
    assert x.shape == (len(own), 2 * width + own.shape[-1])
    for part in np.split(x, [width, 2 * width], axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, atol=1e-5)
    own = own / np.linalg.norm(own, axis=1, keepdims=True)
    np.testing.assert_allclose(x[:, 2 * width :], own, atol=1e-5)


@quiet
def test_the_first_depth_is_the_mean_of_the_words_that_are_no_padding():
    encoder, inputs = opened("bert")
    first = encoder.get_layer("embeddings.LayerNorm").output
    words = np.asarray(keras.Model(encoder.input, first)(inputs))
    weight = inputs["mask"][..., None].astype("float32")
    mean = (words * weight).sum(axis=1) / weight.sum(axis=1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    x = np.asarray(embed_depths(encoder)(inputs)["embedding"])
    np.testing.assert_allclose(x[:, : mean.shape[1]], mean, atol=1e-5)


@quiet
def test_an_encoder_without_known_blocks_is_returned():
    ids = keras.Input((None,), dtype="int32")
    encoder = keras.Model(ids, keras.layers.Embedding(5, 2, name="table")(ids))
    assert embed_depths(encoder) is encoder
