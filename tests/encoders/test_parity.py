"""Every kind of checkpoint gives what `transformers` gives, on every backend."""

import functools
import warnings

import keras
import numpy as np
import pytest

from mbm_keras.weights import load
from tests.encoders.checkpoints import DATA
from tests.encoders.checkpoints import FOLDERS
from tests.encoders.checkpoints import expected
from tests.helpers import assert_same
from tests.helpers import on_jax

every_checkpoint = pytest.mark.parametrize("name", FOLDERS)


def quietly(name, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of tensors that are not used
        return load(DATA / name, **arguments)


@functools.cache
def shared(name):
    """An encoder that is loaded once, for tests that do not change it."""
    return quietly(name)


@every_checkpoint
def test_the_sequence_is_that_of_transformers(name):
    inputs, outputs = expected(name)
    y = shared(name)(inputs)
    assert_same(y["sequence"], outputs["last_hidden_state"], 1e-5)


@pytest.mark.parametrize("name", ["bert", "deit", "roberta", "vit", "xlm_roberta"])
def test_the_pooler_is_that_of_transformers(name):
    inputs, outputs = expected(name)
    y = load(DATA / name, changes={"pooling": "pooler"})(inputs)
    assert_same(y["embedding"], outputs["pooler_output"], 1e-5)


@pytest.mark.parametrize(
    "name", [name for name in FOLDERS if "mask" in expected(name)[0]]
)
def test_what_pads_a_row_has_no_effect_on_it(name):
    inputs, _ = expected(name)
    normalizes_over_time = name in ("hubert", "wav2vec2")
    changes = {"ignore_padding": True}
    encoder = quietly(name, changes=changes) if normalizes_over_time else shared(name)
    batch = encoder(inputs)
    for i, length in enumerate(inputs["mask"].sum(axis=1)):
        alone = encoder({key: x[i : i + 1, :length] for key, x in inputs.items()})
        steps = int(np.sum(batch["mask"][i]))
        assert_same(batch["sequence"][i, :steps], alone["sequence"][0])
        assert_same(batch["embedding"][i], alone["embedding"][0])


@pytest.mark.parametrize("name", ["ast", "swin"])
def test_the_embedding_is_that_of_transformers(name):
    inputs, outputs = expected(name)
    assert_same(shared(name)(inputs)["embedding"], outputs["embedding"], 1e-5)


@every_checkpoint
def test_bfloat16_agrees_within_its_precision(name):
    inputs, outputs = expected(name)
    y = quietly(name, dtype="bfloat16")(inputs)
    assert keras.backend.standardize_dtype(y["sequence"].dtype) == "bfloat16"
    y = np.asarray(keras.ops.cast(y["sequence"], "float32"))
    difference = np.abs(y - outputs["last_hidden_state"])
    assert difference.max() < 0.1 and difference.mean() < 0.015


@every_checkpoint
def test_is_saved_and_loaded(name, tmp_path):
    inputs, _ = expected(name)
    encoder = shared(name)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert_same(encoder(inputs), loaded(inputs), 0)


@pytest.mark.parametrize(
    "name", [name for name in FOLDERS if (DATA / name / "resized.npz").is_file()]
)
@pytest.mark.parametrize("size", ["large", "small"])
def test_positions_of_another_size_are_interpolated(name, size):
    arrays = np.load(DATA / name / "resized.npz")
    pixels = arrays[f"in_{size}"].transpose(0, 2, 3, 1)
    y = quietly(name, changes={"image_size": pixels.shape[1:3]})({"pixels": pixels})
    assert_same(y["sequence"], arrays[f"out_{size}"], 1e-5)


@pytest.mark.slow
def test_every_kind_agrees_on_jax():
    on_jax(
        """
import keras, numpy as np
from tests.encoders import checkpoints, test_parity
assert keras.backend.backend() == "jax"
for name in checkpoints.FOLDERS:
    inputs, outputs = checkpoints.expected(name)
    y = np.asarray(test_parity.quietly(name).predict(inputs, verbose=0)["sequence"])
    np.testing.assert_allclose(y, outputs["last_hidden_state"], atol=1e-5, err_msg=name)
"""
    )
