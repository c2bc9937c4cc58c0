"""Towers give what the code of the papers' authors gave, with its weights.

The files are made as `tests/models/parity/README.md` says: `TabM` of
github.com/yandex-research/tabm without its heads, numbers embedded by its
`PiecewiseLinearEmbeddings` of version B; `FTTransformer` of
github.com/yandex-research/rtdl-revisiting-models.
"""

import pathlib

import numpy as np
import pytest

from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import NumberEmbedding
from mbm_keras.towers import ft_transformer
from mbm_keras.towers import tabm
from tests.helpers import assert_same

FOLDER = pathlib.Path(__file__).parent / "parity"
SIZES = dict(numbers=2, categories=(4, 3), width=8, dropout=0.0)


def reference(name):
    return dict(np.load(FOLDER / f"{name}.npz"))


def table(ref, present=1.0):
    flags = np.full_like(ref["x"], present)
    return np.concatenate([ref["x"], flags, ref["ids"]], axis=1).astype("float32")


def of_kind(tower, kind):
    return [layer for layer in tower.layers if isinstance(layer, kind)]


def linear(ref, name):
    return [ref[f"{name}.weight"].T, ref[f"{name}.bias"]]


def test_tabm():
    ref = reference("tabm")
    tower = tabm.build(
        **SIZES, units=(8,), num_members=3, num_bins=4, embedding_width=3
    )
    (numbers,) = of_kind(tower, NumberEmbedding)
    numbers.set_weights([
        ref["num_module.linear0.weight"],
        ref["num_module.linear0.bias"],
        np.ones((2, 3)),
        ref["num_module.linear.weight"],
    ])  # fmt: skip
    for i, dense in enumerate(of_kind(tower, tabm.MemberDense)):
        at = f"backbone.blocks.{i}.0"
        vectors = [ref[f"{at}.{part}"] for part in ("r", "s", "bias")]
        dense.set_weights([ref[f"{at}.weight"].T, *vectors])
    assert_same(tower({"table": table(ref)}), ref["output"].mean(axis=1), 1e-5)


def heads(ref, name):
    """Kernel and bias of two heads of a projection to queries, keys or values."""
    kernel, bias = linear(ref, name)
    return [kernel.reshape(8, 2, 4), bias.reshape(2, 4)]


def test_ft_transformer():
    import keras

    ref = reference("ft_transformer")
    tower = ft_transformer.build(
        **SIZES, num_heads=2, num_blocks=2, attention_dropout=0.0
    )
    (first,) = of_kind(tower, LearnedTokens)
    first.set_weights([ref["cls_embedding.weight"][None]])
    (numbers,) = of_kind(tower, NumberEmbedding)
    weights = [ref[f"cont_embeddings.{part}"] for part in ("weight", "bias")]
    numbers.set_weights([*weights, np.ones((2, 8))])
    (categories,) = of_kind(tower, ft_transformer.CategoryTokens)
    rows = [ref[f"cat_embeddings.embeddings.{i}.weight"] for i in (0, 1)]
    categories.set_weights([np.concatenate(rows), ref["cat_embeddings.bias"]])
    attention = of_kind(tower, keras.layers.MultiHeadAttention)
    dense = of_kind(tower, keras.layers.Dense)
    for i in (0, 1):
        at = f"backbone.blocks.{i}"
        # Keras has query, key, value; so have the authors.
        parts = [heads(ref, f"{at}.attention.W_{part}") for part in "qkv"]
        kernel, bias = linear(ref, f"{at}.attention.W_out")
        attention[i].set_weights([*sum(parts, []), kernel.reshape(2, 4, 8), bias])
        dense[2 * i].set_weights(linear(ref, f"{at}.ffn.linear1"))
        dense[2 * i + 1].set_weights(linear(ref, f"{at}.ffn.linear2"))
    norms = of_kind(tower, keras.layers.LayerNormalization)
    names = (
        "blocks.0.ffn", "blocks.1.attention", "blocks.1.ffn", "output.",
    )  # fmt: skip
    for norm, name in zip(norms, names, strict=True):
        at = "backbone." + (
            f"{name}normalization" if name.endswith(".") else f"{name}_normalization"
        )
        norm.set_weights([ref[f"{at}.weight"], ref[f"{at}.bias"]])
    kernel, bias = linear(ref, "backbone.output.linear")
    found = np.asarray(tower({"table": table(ref)})) @ kernel + bias
    assert_same(found, ref["output"], 1e-5)


@pytest.mark.parametrize(
    "module, published, missing",
    [(tabm, 420_096, 8 * 16), (ft_transformer, 894_913 - 193, 8 * 192)],
)
def test_has_as_many_weights_as_published(module, published, missing):
    """Those of the authors' code, without a head; and of the missing numbers ours."""
    assert module.build(**module.PRESETS["published"]).count_params() == (
        published + missing
    )
