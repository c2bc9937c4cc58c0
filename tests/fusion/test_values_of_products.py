"""The fusions that multiply or weigh against their equations in NumPy."""

import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from tests.fusion.inputs import HALF
from tests.fusion.inputs import embeddings
from tests.helpers import assert_same
from tests.helpers import numpy


def fuse(name, *widths, present=None, **arguments):
    """Inputs, the output, and the weights of a fusion, with biases that are not 0."""
    fusion, x = FUSIONS[name](7, **arguments), embeddings(*widths)
    fusion(x)
    rng = np.random.default_rng(1)
    fusion.set_weights(
        [
            rng.standard_normal(w.shape).astype("float32") * 0.5 if w.trainable else w
            for w in fusion.weights
        ]
    )
    return x, numpy(fusion(x, present=present)), [numpy(w) for w in fusion.weights]


def pairs(weights):
    """Tuples of a kernel and a bias."""
    return list(zip(weights[::2], weights[1::2], strict=True))


def power_normalize(x):
    root = x / np.sqrt(np.abs(x) + 1e-4)
    return root / np.sqrt((root**2).sum(-1, keepdims=True) + 1e-4)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def prepend_one(x):
    return np.pad(x, ((0, 0), (1, 0)), constant_values=1.0)


def test_mean():
    x, out, w = fuse("mean", present=HALF)
    y = np.stack([a @ k + b for a, (k, b) in zip(x, pairs(w), strict=True)], 1)
    assert_same(out, (y * HALF[..., None]).sum(1) / HALF.sum(1, keepdims=True))


def test_maximum():
    x, out, w = fuse("maximum", present=HALF)
    y = np.stack([a @ k + b for a, (k, b) in zip(x, pairs(w), strict=True)], 1)
    assert_same(out, np.where(HALF[..., None], y, -np.inf).max(1))


def test_product():
    x, out, w = fuse("product", present=HALF)
    y = np.stack([np.tanh(a @ k + b) for a, (k, b) in zip(x, pairs(w), strict=True)], 1)
    assert_same(out, np.where(HALF[..., None], y, 1).prod(1))


def test_mlb():
    x, out, w = fuse("mlb", present=HALF)
    *values, (kernel, bias) = pairs(w)
    y = np.stack([np.tanh(a @ k + b) for a, (k, b) in zip(x, values, strict=True)], 1)
    assert_same(out, np.where(HALF[..., None], y, 1).prod(1) @ kernel + bias, 1e-4)


def test_tensor_of_the_embeddings_themselves():
    x, out, w = fuse("tensor", inner=None)
    z = np.einsum("bi,bj,bk->bijk", *map(prepend_one, x)).reshape(3, -1)
    assert_same(out, np.maximum(z @ w[0] + w[1], 0), 1e-4)


def test_tensor_of_projected_embeddings():
    x, out, w = fuse("tensor", inner=3, present=HALF)
    *values, (kernel, bias) = pairs(w)
    z = [np.maximum(a @ k + b, 0) for a, (k, b) in zip(x, values, strict=True)]
    z = [prepend_one(a * HALF[:, i : i + 1]) for i, a in enumerate(z)]
    z = np.einsum("bi,bj,bk->bijk", *z).reshape(3, -1)
    assert_same(out, np.maximum(z @ kernel + bias, 0), 1e-4)


def test_low_rank_equals_a_tensor_product_of_that_rank():
    x, out, (*factors, weight, bias) = fuse("low_rank", rank=2, present=HALF)
    shaped = [f.reshape(len(f), 2, 7) for f in factors]
    tensor = np.einsum("r,iro,jro,kro->ijko", weight, *shaped)
    z = [prepend_one(a * HALF[:, i : i + 1]) for i, a in enumerate(x)]
    assert_same(out, np.einsum("bi,bj,bk,ijko->bo", *z, tensor) + bias, 1e-4)


def test_low_rank_starts_with_the_deviations_of_the_authors_code():
    fusion = FUSIONS["low_rank"](8, rank=16)
    fusion(embeddings(40, 30))
    # What their code gave for these sizes: 0.0658 of 40 x 16 x 8, 0.26 of 16 weights.
    first, second, weight, bias = (numpy(w) for w in fusion.weights)
    assert first.std() == pytest.approx((2 / (41 * 8 + 16 * 8)) ** 0.5, rel=0.05)
    assert second.std() == pytest.approx((2 / (31 * 8 + 16 * 8)) ** 0.5, rel=0.05)
    assert 0.5 < weight.std() / (2 / 17) ** 0.5 < 1.5 and not bias.any()


def test_low_rank_has_the_number_of_parameters_of_the_authors_code():
    fusion = FUSIONS["low_rank"](1, rank=4)
    fusion(embeddings(4, 16, 64))
    assert fusion.count_params() == 353


def test_mfb():
    x, out, w = fuse("mfb", inner=4, num_factors=3)
    *values, (kernel, bias) = pairs(w)
    z = np.prod([a @ k + b for a, (k, b) in zip(x, values, strict=True)], 0)
    assert_same(out, power_normalize(z.reshape(3, 4, 3).sum(2)) @ kernel + bias, 1e-4)


def test_mfh():
    x, out, w = fuse("mfh", inner=4, num_factors=3, present=HALF)
    *values, (kernel, bias) = pairs(w)
    blocks, z = [], 1
    for some in (values[:3], values[3:]):
        y = np.stack([a @ k + b for a, (k, b) in zip(x, some, strict=True)], 1)
        z = z * np.where(HALF[..., None], y, 1).prod(1)
        blocks.append(power_normalize(z.reshape(3, 4, 3).sum(2)))
    assert_same(out, np.concatenate(blocks, 1) @ kernel + bias, 1e-4)


def test_mfb_has_the_published_number_of_parameters():
    fusion = FUSIONS["mfb"](1_000, inner=1_000, num_factors=5)
    fusion(embeddings(1_024, 2_048))
    projections = sum(v.count_params() for v in fusion.values)
    assert projections == 15_370_000


def test_mutan():
    x, out, w = fuse("mutan", inner=4, rank=3)
    p = pairs(w)
    y = [a @ k + b for a, (k, b) in zip(x, p[:3], strict=True)]
    z = [(a @ k + b).reshape(3, 3, 4) for a, (k, b) in zip(y, p[3:6], strict=True)]
    assert_same(out, np.prod(z, 0).sum(1) @ p[6][0] + p[6][1], 1e-4)


def test_tucker():
    x, out, w = fuse("tucker", 4, 6, inner=3, present=HALF[:, :2])
    one, two, (core, t), (kernel, bias) = pairs(w)
    y = [a @ k + b for a, (k, b) in zip(x, (one, two), strict=True)]
    y = [np.where(HALF[:, i : i + 1], a, 1) for i, a in enumerate(y)]
    z = np.einsum("bi,bj,ijo->bo", *y, core.reshape(3, 3, 3)) + t
    assert_same(out, z @ kernel + bias, 1e-4)


def test_block():
    x, out, w = fuse("block", 4, 6, inner=6, num_chunks=2, rank=3)
    one, two, *factors, (kernel, bias) = pairs(w)
    y = [a @ k + b for a, (k, b) in zip(x, (one, two), strict=True)]
    blocks = []
    for c in range(2):
        z = 1
        for i in range(2):
            k, b = factors[2 * c + i]
            z = z * (y[i][:, 3 * c : 3 * c + 3] @ k + b).reshape(3, 3, 3)
        blocks.append(power_normalize(z.sum(1)))
    assert_same(out, np.concatenate(blocks, 1) @ kernel + bias, 1e-4)


def test_compact_bilinear_convolves_the_sketches():
    x, out, w = fuse("compact_bilinear", 4, 6, inner=8)
    by_shape = {a.shape + (a.dtype.kind,): a for a in w}
    sketches = []
    for a, width in zip(x, (4, 6), strict=True):
        sketch = np.zeros((3, 8))
        for j in range(width):
            sketch[:, by_shape[width, "i"][j]] += by_shape[width, "f"][j] * a[:, j]
        sketches.append(sketch)
    z = np.zeros((3, 8))
    for i in range(8):
        for j in range(8):
            z[:, (i + j) % 8] += sketches[0][:, i] * sketches[1][:, j]
    assert_same(out, power_normalize(z) @ by_shape[8, 7, "f"] + by_shape[7, "f"], 1e-4)


def test_inner_products_of_sketches_estimate_those_of_outer_products():
    rng = np.random.default_rng(0)
    # All positive: without signs, the products of different units would add up.
    x, y, u, v = rng.random((4, 12)).astype("float32")
    estimates = []
    for seed in range(200):
        fusion = FUSIONS["compact_bilinear"](1, inner=64, seed=seed)
        fusion.build([(None, 12), (None, 12)])
        indices = [numpy(w) for w in fusion.indices]
        signs = [numpy(w) for w in fusion.signs]
        sketches = []
        for pair in ((x, y), (u, v)):
            z = 1
            for index, sign, a in zip(indices, signs, pair, strict=True):
                z = z * np.fft.rfft(np.bincount(index, sign * a, minlength=64))
            sketches.append(np.fft.irfft(z))
        estimates.append(sketches[0] @ sketches[1])
    standard_error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - (x @ u) * (y @ v)) < 4 * standard_error


def test_squeeze_excitation():
    x, out, w = fuse("squeeze_excitation", present=HALF)
    kept = [a * HALF[:, i : i + 1] for i, a in enumerate(x)]
    (k, b), *rest = pairs(w)
    z = np.maximum(np.concatenate(kept, 1) @ k + b, 0)
    expected = 0
    for i, a in enumerate(kept):
        (gate, c), (value, d) = rest[i], rest[3 + i]
        y = 2 * sigmoid(z @ gate + c) * a
        expected = expected + HALF[:, i : i + 1] * (y @ value + d)
    assert_same(out, expected, 1e-4)


def test_matrix_interaction_of_two():
    x, out, (w,) = fuse("matrix_interaction", 4, 6)
    w = w.reshape(5, 7, 7)
    expected = np.einsum("bi,bj,ijo->bo", *x, w[1:, 1:]) + w[0, 0]
    expected += x[0] @ w[1:, 0] + x[1] @ w[0, 1:]
    assert_same(out, expected, 1e-4)


def test_matrix_interaction_of_three():
    x, out, (w,) = fuse("matrix_interaction")
    w = w.reshape(5, 7, 6, 7)
    matrix = np.einsum("bi,bj,ijko->bko", prepend_one(x[0]), prepend_one(x[1]), w)
    assert_same(out, np.einsum("bk,bko->bo", x[2], matrix[:, 1:]) + matrix[:, 0], 1e-4)


@pytest.mark.parametrize("name", ["vector_interaction", "scalar_interaction"])
def test_interactions_scale_and_shift(name):
    x, out, w = fuse(name, present=HALF)
    first, scale_2, scale_3, shift_2, shift_3 = pairs(w)
    h = HALF[:, :1] * (x[0] @ first[0] + first[1])
    for i, scale, shift in ((1, scale_2, shift_2), (2, scale_3, shift_3)):
        gamma, beta = (x[i] @ k + b for k, b in (scale, shift))
        h = np.where(HALF[:, i : i + 1], (1 + gamma) * h + beta, h)
    assert_same(out, h, 1e-4)


def test_product_of_experts_multiplies_densities():
    x, mean, w = fuse("product_of_experts", 4, 6)
    fusion = FUSIONS["product_of_experts"](7)
    fusion(x)
    fusion.set_weights(w)
    _, variance = (numpy(a) for a in fusion(x, return_variance=True))
    grid = np.linspace(-40, 40, 80_001)
    log_density = -(grid**2) / 2
    for a, (k, b) in zip(x, pairs(w), strict=True):
        mu, log = np.split(a @ k + b, 2, axis=-1)
        var = np.exp(log[0, 0]) + 1e-8
        log_density -= (grid - mu[0, 0]) ** 2 / (2 * var)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    center = (density * grid).sum()
    assert_same(mean[0, 0], center, 1e-3)
    assert_same(variance[0, 0], (density * (grid - center) ** 2).sum(), 1e-3)


def test_product_of_no_experts_equals_the_prior():
    fusion, x = FUSIONS["product_of_experts"](7), embeddings()
    absent = np.zeros((3, 3), bool)
    mean, variance = fusion(x, present=absent, return_variance=True)
    assert_same(mean, np.zeros((3, 7)))
    assert_same(variance, np.ones((3, 7)))


def test_mixture_of_experts():
    x, out, w = fuse("mixture_of_experts", present=HALF)
    *experts, (gate, c) = pairs(w)
    kept = [a * HALF[:, i : i + 1] for i, a in enumerate(x)]
    g = np.where(HALF, np.exp(np.concatenate(kept, 1) @ gate + c), 0)
    g /= g.sum(1, keepdims=True)
    y = [np.maximum(a @ k + b, 0) for a, (k, b) in zip(kept, experts, strict=True)]
    assert_same(out, (g[..., None] * np.stack(y, 1)).sum(1), 1e-4)
