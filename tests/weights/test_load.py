"""Tensors find their weights by name; what does not fit is named."""

import warnings

import keras
import numpy as np
import pytest

from mbm_keras.weights import load
from mbm_keras.weights.assign import Tensors
from mbm_keras.weights.assign import parts_of
from tests.encoders.checkpoints import expected
from tests.helpers import assert_same

KEY = "encoder.layer.1.attention.self.key"
quiet = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


@quiet
def test_a_missing_tensor_is_named(bert):
    tensors = bert.tensors()
    del tensors[f"{KEY}.bias"]
    bert.write(tensors)
    with pytest.raises(ValueError, match=f"tensor '{KEY}.bias'.*38 tensors"):
        load(bert.path)


@quiet
def test_a_misshapen_tensor_is_named(bert):
    bert.write({**bert.tensors(), f"{KEY}.weight": np.zeros((16, 8), "float32")})
    with pytest.raises(ValueError, match=rf"'{KEY}.weight'.*\(16, 16\).*\(8, 16\)"):
        load(bert.path)


@quiet
def test_a_configuration_of_other_weights_is_found(bert):
    bert.configure(vocab_size=61)
    with pytest.raises(ValueError, match=r"word_embeddings.*\(61, 16\).*\(60, 16\)"):
        load(bert.path)


def test_unused_tensors_are_named_in_a_warning(bert):
    with pytest.warns(UserWarning, match="2 tensors.*pooler.dense.bias, pooler.dense"):
        load(bert.path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(bert.path, changes={"pooling": "pooler"})


def test_numbers_that_are_not_weights_are_not_reported(bert):
    ids = np.arange(20)[None]
    bert.write({**bert.tensors(), "embeddings.position_ids": ids})
    with pytest.warns(UserWarning, match="2 tensors"):
        load(bert.path)


def test_a_checkpoint_with_the_head_of_a_task_is_read(bert):
    inputs, outputs = expected("bert")
    tensors = {f"bert.{name}": x for name, x in bert.tensors().items()}
    bert.write({**tensors, "classifier.weight": np.zeros((2, 16), "float32")})
    with pytest.warns(UserWarning, match="3 tensors.*classifier.weight"):
        y = load(bert.path)(inputs)
    assert_same(y["sequence"], outputs["last_hidden_state"], 1e-5)


@quiet
def test_names_of_the_first_years_are_read(bert):
    inputs, outputs = expected("bert")
    old = {}
    for name, x in bert.tensors().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old[name.replace("LayerNorm.bias", "LayerNorm.beta")] = x
    bert.write(old)
    assert_same(load(bert.path)(inputs)["sequence"], outputs["last_hidden_state"], 1e-5)


@quiet
def test_changes_are_arguments_of_the_builder(bert):
    dropping = load(bert.path, changes={"dropout": 0.1})
    assert any(isinstance(layer, keras.layers.Dropout) for layer in dropping.layers)
    with pytest.raises(ValueError, match="dropout.*Received: drop_out"):
        load(bert.path, changes={"drop_out": 0.1})


@quiet
def test_a_part_must_be_one_of_the_checkpoint(bert):
    with pytest.raises(ValueError, match="encoder.*part='image'"):
        load(bert.path, part="image")


@quiet
def test_more_tokens_than_positions_are_refused(bert):
    ids = np.ones((1, 21), "int32")
    with pytest.raises(ValueError, match="at most 20 steps.*steps=21"):
        load(bert.path)({"token_ids": ids, "mask": ids > 0})


@quiet
def test_a_text_of_no_token_gives_zeros(bert):
    ids = np.zeros((2, 4), "int32")
    y = load(bert.path)({"token_ids": ids, "mask": ids > 0})
    assert np.isfinite(np.asarray(y["sequence"])).all()
    assert not np.asarray(y["embedding"]).any()


@quiet
def test_the_global_policy_is_left_as_it_was(bert):
    before = keras.config.dtype_policy().name
    encoder = load(bert.path, dtype="mixed_bfloat16")
    assert encoder.layers[-1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == before


def pool(bert, *modules, **modes):
    kinds = ("Transformer", "Pooling", *modules)
    bert.write_json(
        "modules.json",
        [
            {"path": f"{i}_{x}", "type": f"sentence_transformers.models.{x}"}
            for i, x in enumerate(kinds)
        ],
    )
    bert.write_json(
        "1_Pooling/config.json",
        {"word_embedding_dimension": 16, "include_prompt": True}
        | {f"pooling_mode_{name}": value for name, value in modes.items()},
    )


@quiet
@pytest.mark.parametrize(
    "mode, pooling",
    [
        ("cls_token", lambda x: x[0]),
        ("lasttoken", lambda x: x[-1]),
        ("mean_tokens", lambda x: x.mean(axis=0)),
        ("max_tokens", lambda x: x.max(axis=0)),
        ("mean_sqrt_len_tokens", lambda x: x.sum(axis=0) / len(x) ** 0.5),
    ],
)
def test_a_sentence_encoder_pools_as_it_says(bert, mode, pooling):
    inputs, outputs = expected("bert")
    other = "cls_token" if mode != "cls_token" else "max_tokens"
    pool(bert, **{mode: True, other: False})
    y = load(bert.path)(inputs)["embedding"]
    lengths = inputs["mask"].sum(axis=1)
    rows = zip(outputs["last_hidden_state"], lengths, strict=True)
    assert_same(y, np.stack([pooling(x[:n]) for x, n in rows]))


@quiet
def test_a_sentence_encoder_normalizes_if_it_says_so(bert):
    inputs, _ = expected("bert")
    pool(bert, "Normalize", mean_tokens=True)
    y = np.asarray(load(bert.path)(inputs)["embedding"])
    np.testing.assert_allclose((y * y).sum(axis=1), 1.0, rtol=1e-5)


@quiet
@pytest.mark.parametrize(
    "modules, modes, message",
    [
        ((), {}, "Received: \\[\\]"),
        ((), {"weightedmean_tokens": True}, "weightedmean"),
        ((), {"cls_token": True, "mean_tokens": True}, "cls_token.*mean_tokens"),
        (("LSTM",), {"mean_tokens": True}, "'LSTM'"),
    ],
)
def test_a_sentence_encoder_of_another_kind_is_refused(bert, modules, modes, message):
    pool(bert, *modules, **modes)
    with pytest.raises(ValueError, match=message):
        load(bert.path)


def test_a_layer_without_rule_is_refused():
    layer = keras.layers.LSTM(2, name="lstm")
    layer.build((None, 3, 2))
    with pytest.raises(ValueError, match="'lstm' of LSTM"):
        parts_of(layer, Tensors({}))
