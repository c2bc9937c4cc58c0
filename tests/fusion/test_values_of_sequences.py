"""The fusions of sequences against their equations written out in NumPy."""

import keras
import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from mbm_keras.layers import AttentionBlock
from tests.fusion.test_every_fusion import sequences
from tests.helpers import assert_same
from tests.helpers import numpy

UNITS = 8


def made(name, **arguments):
    """Inputs with masks, the output with the second absent in row 0, and the layer."""
    keras.utils.set_random_seed(0)
    fusion = FUSIONS[name](UNITS, **arguments)
    x, masks = sequences()
    present = np.ones((4, 3), bool)
    present[0, 1] = False
    fusion(x, mask=masks)
    rng = np.random.default_rng(1)
    fusion.set_weights([0.3 * rng.standard_normal(w.shape) for w in fusion.weights])
    out = numpy(fusion(x, present=present, mask=masks))
    counts = [
        np.ones(a.shape[:-1] if a.ndim == 3 else (4, 1), bool) if m is None else m
        for a, m in zip(x, masks, strict=True)
    ]
    counts = [c & present[:, i : i + 1] for i, c in enumerate(counts)]
    return [a if a.ndim == 3 else a[:, None] for a in x], counts, out, fusion


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm(layer, x):
    gamma, beta = (numpy(w) for w in layer.weights)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    return gamma * x + beta


def gelu(x):
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def block(layer, x, context=None, counts=None):
    """An attention block, head by head and place by place."""
    q, qb, k, kb, v, vb, o, ob = (numpy(w) for w in layer.attention.weights)
    query = norm(layer.norm_x, x)
    value = query if context is None else norm(layer.norm_context, context)
    y = x + ob
    for head in range(q.shape[1]):
        asked = query @ q[:, head] + qb[head]
        keys = value @ k[:, head] + kb[head]
        score = asked @ keys.swapaxes(1, 2) / np.sqrt(q.shape[2])
        if counts is not None:
            score = np.where(counts[:, None], score, -1e9)
        y = y + softmax(score) @ (value @ v[:, head] + vb[head]) @ o[head]
    (w1, b1), (w2, b2) = (
        [numpy(w) for w in d.weights] for d in (layer.wide, layer.narrow)
    )
    return y + gelu(norm(layer.norm_y, y) @ w1 + b1) @ w2 + b2


def dense(layer, x):
    kernel, *bias = (numpy(w) for w in layer.weights)
    return x @ kernel + (bias[0] if bias else 0)


def mean(x, counts):
    weight = counts[..., None]
    return (x * weight).sum(1) / np.maximum(weight.sum(1), 1)


def tokens(fusion, x, counts):
    """Zeros where a whole input is absent, as the layer has them."""
    made = [dense(v, a) for v, a in zip(fusion.values, x, strict=True)]
    return [a * c.any(1)[:, None, None] for a, c in zip(made, counts, strict=True)]


def test_an_attention_block_and_what_it_weighs():
    layer = AttentionBlock(2, True)
    x, context = np.random.default_rng(0).standard_normal((2, 3, 4, 8)).astype("f4")
    counts = np.array([[True, True, False, False]] * 3)
    out = layer(x, context, counts)
    assert_same(out, block(layer, x, context, counts), 1e-4)
    assert layer.count_params() == 12 * 64 + 15 * 8
    big = AttentionBlock(12)
    big.build((None, None, 768))
    assert big.count_params() == 7_087_872
    with pytest.raises(ValueError, match="width=8, num_heads=3"):
        AttentionBlock(3)(x)


def test_transformer():
    x, counts, out, fusion = made("transformer")
    t = tokens(fusion, x, counts)
    t = np.concatenate([a + k for a, k in zip(t, numpy(fusion.kinds), strict=True)], 1)
    here = np.concatenate(counts, 1)
    for layer in fusion.blocks:
        t = block(layer, t, None, here)
    assert_same(out, mean(norm(fusion.norm, t), here), 1e-4)


def test_cross_attention():
    x, counts, out, fusion = made("cross_attention", depth=2)
    t = tokens(fusion, x, counts)
    null = np.repeat(numpy(fusion.null)[None], 4, 0)
    for depth in range(2):
        told = []
        for i in range(3):
            others = [j for j in range(3) if j != i]
            context = np.concatenate([null, *(t[j] for j in others)], 1)
            here = np.concatenate(
                [np.ones((4, 1), bool), *(counts[j] for j in others)], 1
            )
            y = block(fusion.blocks[i][depth], t[i], context, here)
            told.append(y * counts[i].any(1)[:, None, None])
        t = told
    right = sum(mean(norm(fusion.norm, a), c) for a, c in zip(t, counts, strict=True))
    assert_same(out, right, 1e-4)


def test_cross_modal():
    x, counts, out, fusion = made("cross_modal", inner=4, num_heads=2)
    t = tokens(fusion, x, counts)
    null = np.repeat(numpy(fusion.null)[None], 4, 0)
    told = []
    for i in range(3):
        parts = []
        for place, j in enumerate(j for j in range(3) if j != i):
            y = t[i]
            context = np.concatenate([null, t[j]], 1)
            here = np.concatenate([np.ones((4, 1), bool), counts[j]], 1)
            for layer in fusion.directions[i][place]:
                y = block(layer, y, context, here)
            parts.append(y)
        z = np.concatenate(parts, -1)
        for layer in fusion.memories[i]:
            # A modality that is absent is zero in the end: whom it asks is no matter.
            z = block(layer, z, None, counts[i] | ~counts[i].any(1, keepdims=True))
        told.append(mean(norm(fusion.norms[i], z), counts[i]))
    assert_same(out, dense(fusion.mix, np.concatenate(told, 1)), 1e-4)


def test_bottleneck():
    x, counts, out, fusion = made("bottleneck", tokens=2)
    t = tokens(fusion, x, counts)
    b = np.repeat(numpy(fusion.bottleneck)[None], 4, 0)
    present = np.stack([c.any(1) for c in counts], 1)
    for depth in range(2):
        shared = []
        for i in range(3):
            here = np.concatenate([np.ones((4, 2), bool), counts[i]], 1)
            y = block(fusion.blocks[i][depth], np.concatenate([b, t[i]], 1), None, here)
            shared.append(y[:, :2] * present[:, i, None, None])
            t[i] = y[:, 2:]
        b = sum(shared) / present.sum(1)[:, None, None]
    right = sum(mean(norm(fusion.norm, a), c) for a, c in zip(t, counts, strict=True))
    assert_same(out, right / present.sum(1)[:, None], 1e-4)


@pytest.mark.parametrize("name", ["perceiver", "perceiver_io"])
def test_perceivers(name):
    x, counts, out, fusion = made(name, latents=3)
    t = tokens(fusion, x, counts)
    t = [a + k for a, k in zip(t, numpy(fusion.kinds), strict=True)]
    t = np.concatenate([np.repeat(numpy(fusion.null)[None], 4, 0), *t], 1)
    here = np.concatenate([np.ones((4, 1), bool), *counts], 1)
    z = np.repeat(numpy(fusion.z)[None], 4, 0)
    for reading, layer in zip(fusion.readings, fusion.blocks, strict=True):
        z = block(layer, block(reading, z, t, here))
    z = norm(fusion.norm, z)
    if name == "perceiver":
        right = z.mean(1)
    else:
        question = np.repeat(numpy(fusion.question)[None], 4, 0)
        right = block(fusion.decoder, question, z)[:, 0]
    assert_same(out, right, 1e-4)


def test_non_local():
    x, counts, out, fusion = made("non_local")
    q = dense(fusion.query[0], x[0])
    y = q.copy()
    for j in (1, 2):
        k, v = dense(fusion.keys[j - 1], x[j]), dense(fusion.values[j - 1], x[j])
        score = np.where(
            counts[j][:, None], q @ k.swapaxes(1, 2) / np.sqrt(UNITS), -1e9
        )
        y += counts[j].any(1)[:, None, None] * (softmax(score) @ v)
    assert_same(out, mean(y, counts[0]), 1e-4)


def test_a_modality_alone_attends_to_itself():
    x = np.random.default_rng(0).standard_normal((3, 5, 4)).astype("float32")
    for name in ("cross_modal", "cross_attention", "bottleneck", "perceiver"):
        one = numpy(FUSIONS[name](UNITS)([x]))
        assert one.shape == (3, UNITS) and np.isfinite(one).all()
