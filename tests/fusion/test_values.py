"""The simple fusions against their equations in NumPy."""

import numpy as np
import pytest

from mbm_keras.fusion import AttentionFusion
from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.fusion import FiLMFusion
from mbm_keras.fusion import GatedFusion
from mbm_keras.fusion import SumFusion
from tests.fusion.inputs import embeddings
from tests.helpers import assert_same
from tests.helpers import numpy


def softmax(z, axis):
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def normalize(h):
    return (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)


def test_sum():
    x, fusion = embeddings(), SumFusion(7)
    out = fusion(x)
    w = [numpy(v) for v in fusion.weights]
    expected = sum(a @ w[2 * i] + w[2 * i + 1] for i, a in enumerate(x))
    assert_same(out, expected)


def test_sum_without_projection():
    x, fusion = embeddings(7, 7), SumFusion(7, project=False)
    present = np.array([[True, False], [True, True], [False, True]])
    expected = [x[0][0], x[0][1] + x[1][1], x[1][2]]
    assert_same(fusion(x, present=present), np.stack(expected))
    assert fusion.weights == []


def test_a_sum_without_projection_needs_embeddings_of_its_width():
    with pytest.raises(ValueError, match=r"project=True.*units=7, widths=\[7, 6\]"):
        SumFusion(7, project=False)(embeddings(7, 6))


def test_concatenation():
    x, fusion = embeddings(), ConcatenationFusion(7)
    out = fusion(x, present=np.array([[True, False, True]] * 3))
    kernel, bias = (numpy(v) for v in fusion.weights)
    flat = np.concatenate([x[0], 0 * x[1], x[2], [[1, 0, 1]] * 3], -1)
    assert_same(out, np.maximum(flat @ kernel + bias, 0))


def test_gated():
    x, fusion = embeddings(), GatedFusion(7)
    fused, gates = fusion(x, return_gates=True)
    *values, gate = (numpy(w) for w in fusion.weights)
    h = np.stack([np.tanh(a @ w) for a, w in zip(x, values, strict=True)], axis=1)
    g = softmax((np.concatenate(x, -1) @ gate).reshape(3, 3, 7), 1)
    assert_same(gates, g)
    assert_same(fused, (g * h).sum(1))


def test_two_gates_are_the_gate_of_the_paper_and_what_it_leaves():
    x, fusion = embeddings(4, 6), GatedFusion(7)
    fusion(x)
    first, second, _ = fusion.get_weights()
    gate = np.random.default_rng(1).standard_normal((10, 7)).astype("float32")
    fusion.set_weights([first, second, np.concatenate([gate, 0 * gate], axis=1)])
    z = 1 / (1 + np.exp(-np.concatenate(x, axis=1) @ gate))
    h = [np.tanh(a @ w) for a, w in zip(x, (first, second), strict=True)]
    assert_same(fusion(x), z * h[0] + (1 - z) * h[1])


def test_gates_of_absent_inputs_are_0_and_the_others_sum_to_1():
    x, fusion = embeddings(), GatedFusion(7)
    _, gates = fusion(x, present=np.array([[True, False, True]] * 3), return_gates=True)
    assert (numpy(gates)[:, 1] == 0).all()
    assert_same(numpy(gates).sum(1), np.ones((3, 7)))


def test_attention():
    x, fusion = embeddings(), AttentionFusion(7)
    fused, weights = fusion(x, return_weights=True)
    w = [numpy(v) for v in fusion.weights]
    u = np.stack([a @ w[2 * i] + w[2 * i + 1] for i, a in enumerate(x)], axis=1)
    a = softmax((np.tanh(u @ w[6]) @ w[7])[..., 0], 1)
    assert_same(weights, a)
    assert_same(fused, (a[..., None] * u).sum(1))


def test_film_with_a_masked_sequence():
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 5))]
    x = [a.astype("float32") for a in x]
    mask = np.array([[True, True, False], [True, True, True]])
    fusion = FiLMFusion(7)
    out = fusion(x, mask=[mask, None])
    w = [numpy(v) for v in fusion.weights]
    values, modulators = w[:2], [w[2:4], w[4:6]]

    h = [normalize(x[0] @ values[0]), normalize(x[1] @ values[1])[:, None]]
    weight = [mask / mask.sum(1, keepdims=True), np.ones((2, 1))]
    s = [(a * b[..., None]).sum(1) for a, b in zip(h, weight, strict=True)]
    expected = 0
    for i, c in ((0, s[1]), (1, s[0])):
        kernel, bias = modulators[i]
        gamma, beta = np.split(np.maximum(c, 0) @ kernel + bias, 2, axis=-1)
        y = np.maximum((1 + gamma[:, None]) * h[i] + beta[:, None], 0)
        expected = expected + (y * weight[i][..., None]).sum(1)
    assert_same(out, expected)


def test_film_depends_on_the_condition():
    x, fusion = embeddings(4, 6), FiLMFusion(7)
    one = numpy(fusion(x))
    other = numpy(fusion([x[0], x[1] + 1.0]))
    assert np.abs(one - other).max() > 1e-3
