"""The fusions of sequences against their equations in NumPy."""

import keras
import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from mbm_keras.layers import AttentionBlock
from tests.fusion.inputs import OF_SEQUENCES
from tests.fusion.inputs import UNITS
from tests.fusion.inputs import sequences
from tests.helpers import assert_same
from tests.helpers import numpy


def fuse(name, **arguments):
    """Fuses sequences with masks, the second of them absent in row 0.

    Returns:
        The inputs as sequences, the masks of valid steps, the output, and the fusion.
    """
    keras.utils.set_random_seed(0)
    fusion = FUSIONS[name](UNITS, **arguments)
    x, masks = sequences()
    present = np.ones((4, 3), bool)
    present[0, 1] = False
    fusion(x, mask=masks)
    rng = np.random.default_rng(1)
    fusion.set_weights([0.3 * rng.standard_normal(w.shape) for w in fusion.weights])
    out = numpy(fusion(x, present=present, mask=masks))
    valid = [
        np.ones(a.shape[:-1] if a.ndim == 3 else (4, 1), bool) if m is None else m
        for a, m in zip(x, masks, strict=True)
    ]
    valid = [v & present[:, i : i + 1] for i, v in enumerate(valid)]
    return [a if a.ndim == 3 else a[:, None] for a in x], valid, out, fusion


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm(layer, x):
    gamma, beta = (numpy(w) for w in layer.weights)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + layer.epsilon
    )
    return gamma * x + beta


def gelu(x):
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def gelu_tanh(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": lambda x: np.maximum(x, 0)}


def block(layer, x, context=None, valid=None):
    """An attention block, head by head."""
    q, qb, k, kb, v, vb, o, ob = (numpy(w) for w in layer.attention.weights)
    query = norm(layer.norm_x, x)
    value = query if context is None else norm(layer.norm_context, context)
    y = x + ob
    for head in range(q.shape[1]):
        queries = query @ q[:, head] + qb[head]
        keys = value @ k[:, head] + kb[head]
        score = queries @ keys.swapaxes(1, 2) / np.sqrt(q.shape[2])
        if valid is not None:
            score = np.where(valid[:, None], score, -1e9)
        y = y + softmax(score) @ (value @ v[:, head] + vb[head]) @ o[head]
    (w1, b1), (w2, b2) = (
        [numpy(w) for w in d.weights] for d in (layer.wide, layer.narrow)
    )
    hidden = ACTIVATIONS[layer.activation](norm(layer.norm_y, y) @ w1 + b1)
    return y + hidden @ w2 + b2


def dense(layer, x):
    kernel, *bias = (numpy(w) for w in layer.weights)
    return x @ kernel + (bias[0] if bias else 0)


def mean(x, valid):
    weight = valid[..., None]
    return (x * weight).sum(1) / np.maximum(weight.sum(1), 1)


def tokens(fusion, x, valid):
    """Projected sequences, zeros where a whole input is absent."""
    t = [dense(v, a) for v, a in zip(fusion.projections, x, strict=True)]
    return [a * v.any(1)[:, None, None] for a, v in zip(t, valid, strict=True)]


def repeat(weight, rows=4):
    return np.repeat(numpy(weight)[None], rows, 0)


TRUE = np.ones((4, 1), bool)  # the mask of a learned token


def test_attention_block():
    layer = AttentionBlock(2, crosses=True)
    x, context = np.random.default_rng(0).standard_normal((2, 3, 4, 8)).astype("f4")
    valid = np.array([[True, True, False, False]] * 3)
    assert_same(layer(x, context, valid), block(layer, x, context, valid), 1e-4)


def test_attention_block_has_the_number_of_parameters_of_its_formula():
    layer = AttentionBlock(2, crosses=True)
    layer.build((None, None, 8))
    assert layer.count_params() == 12 * 64 + 15 * 8
    base = AttentionBlock(12)
    base.build((None, None, 768))
    assert base.count_params() == 7_087_872  # a block of BERT base


def test_attention_block_rejects_a_width_that_heads_do_not_divide():
    with pytest.raises(ValueError, match="width=8, num_heads=3"):
        AttentionBlock(3)(np.zeros((1, 2, 8)))


def test_transformer():
    x, valid, out, fusion = fuse("transformer")
    e = numpy(fusion.modality_embeddings)
    t = [a + e_i for a, e_i in zip(tokens(fusion, x, valid), e, strict=True)]
    t, all_valid = np.concatenate(t, 1), np.concatenate(valid, 1)
    for layer in fusion.blocks:
        t = block(layer, t, None, all_valid)
    assert_same(out, mean(norm(fusion.norm, t), all_valid), 1e-4)


def test_cross_attention():
    x, valid, out, fusion = fuse("cross_attention", num_blocks=2)
    t = tokens(fusion, x, valid)
    null = repeat(fusion.null)
    for layer in range(2):
        attended = []
        for i in range(3):
            others = [j for j in range(3) if j != i]
            context = np.concatenate([null, *(t[j] for j in others)], 1)
            context_valid = np.concatenate([TRUE, *(valid[j] for j in others)], 1)
            y = block(fusion.blocks[i][layer], t[i], context, context_valid)
            attended.append(y * valid[i].any(1)[:, None, None])
        t = attended
    expected = sum(mean(norm(fusion.norm, a), v) for a, v in zip(t, valid, strict=True))
    assert_same(out, expected, 1e-4)


def test_cross_modal():
    x, valid, out, fusion = fuse("cross_modal", inner=4, num_heads=2)
    t = tokens(fusion, x, valid)
    null = repeat(fusion.null)
    embeddings = []
    for i in range(3):
        attended = []
        for pair, j in enumerate(j for j in range(3) if j != i):
            y = t[i]
            context = np.concatenate([null, t[j]], 1)
            context_valid = np.concatenate([TRUE, valid[j]], 1)
            for layer in fusion.pairs[i][pair]:
                y = block(layer, y, context, context_valid)
            attended.append(y)
        z = np.concatenate(attended, -1)
        for layer in fusion.memories[i]:
            # The embedding of an absent modality is zeros, whatever it attends to.
            z = block(layer, z, None, valid[i] | ~valid[i].any(1, keepdims=True))
        embeddings.append(mean(norm(fusion.norms[i], z), valid[i]))
    assert_same(out, dense(fusion.mix, np.concatenate(embeddings, 1)), 1e-4)


def test_bottleneck():
    x, valid, out, fusion = fuse("bottleneck", num_bottleneck_tokens=2)
    t = tokens(fusion, x, valid)
    b = repeat(fusion.bottleneck)
    present = np.stack([v.any(1) for v in valid], 1)
    for layer in range(2):
        updates = []
        for i in range(3):
            both_valid = np.concatenate([TRUE, TRUE, valid[i]], 1)
            both = np.concatenate([b, t[i]], 1)
            y = block(fusion.blocks[i][layer], both, None, both_valid)
            updates.append(y[:, :2] * present[:, i, None, None])
            t[i] = y[:, 2:]
        b = sum(updates) / present.sum(1)[:, None, None]
    total = sum(mean(norm(fusion.norm, a), v) for a, v in zip(t, valid, strict=True))
    assert_same(out, total / present.sum(1)[:, None], 1e-4)


@pytest.mark.parametrize("name", ["perceiver", "perceiver_io"])
def test_perceivers(name):
    x, valid, out, fusion = fuse(name, num_latents=3)
    e = numpy(fusion.modality_embeddings)
    t = [a + e_i for a, e_i in zip(tokens(fusion, x, valid), e, strict=True)]
    t = np.concatenate([repeat(fusion.null), *t], 1)
    all_valid = np.concatenate([TRUE, *valid], 1)
    z = repeat(fusion.z)
    for cross, layer in zip(fusion.cross_blocks, fusion.blocks, strict=True):
        z = block(layer, block(cross, z, t, all_valid))
    z = norm(fusion.norm, z)
    if name == "perceiver":
        expected = z.mean(1)
    else:
        expected = block(fusion.decoder, repeat(fusion.query), z)[:, 0]
    assert_same(out, expected, 1e-4)


def test_non_local():
    x, valid, out, fusion = fuse("non_local")
    q = dense(fusion.query[0], x[0])
    y = q.copy()
    for j in (1, 2):
        k, v = dense(fusion.keys[j - 1], x[j]), dense(fusion.values[j - 1], x[j])
        score = q @ k.swapaxes(1, 2) / np.sqrt(UNITS)
        score = np.where(valid[j][:, None], score, -1e9)
        y += valid[j].any(1)[:, None, None] * (softmax(score) @ v)
    assert_same(out, mean(y, valid[0]), 1e-4)


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_a_single_modality_is_fused(name):
    x = np.random.default_rng(0).standard_normal((3, 5, 4)).astype("float32")
    out = numpy(FUSIONS[name](UNITS)([x]))
    assert out.shape == (3, UNITS) and np.isfinite(out).all()


def test_in_step():
    x, valid, out, fusion = fuse("in_step", kernel_size=3)
    # Lengths 5, an embedding, and 3: steps of the third begin at 0, 5/3 and 10/3.
    repeated = [[0, 1, 2, 3, 4], [0] * 5, [0, 0, 1, 2, 2]]
    valid = [v[:, at] for v, at in zip(valid, repeated, strict=True)]
    goes_on = valid[0] | valid[2]
    goes_on[:, 0] |= valid[1][:, 0]
    h = np.concatenate(
        [
            dense(project, a)[:, at] * (v & goes_on)[..., None]
            for project, a, at, v in zip(
                fusion.projections, x, repeated, valid, strict=True
            )
        ],
        axis=-1,
    )
    for layer, convolution in enumerate(fusion.convolutions):
        kernel, bias = (numpy(w) for w in convolution.weights)
        padded = np.pad(h, ((0, 0), (1, 1), (0, 0)))
        changed = sum(padded[:, k : k + 5] @ kernel[k] for k in range(3)) + bias
        changed = np.maximum(changed, 0) * goes_on[..., None]
        h = changed + h if layer else changed
    pooled = np.concatenate([mean(h, goes_on), h.max(1)], axis=-1)
    assert_same(np.maximum(dense(fusion.out, pooled), 0), out)


def test_in_step_of_embeddings_alone_has_one_step():
    fusion = FUSIONS["in_step"](UNITS)
    x = [np.ones((2, 4), "float32"), np.ones((2, 6), "float32")]
    steps = [a[:, None] for a in x]
    keras.utils.set_random_seed(0)
    out = fusion(x)
    assert np.isfinite(numpy(out)).all()
    again = FUSIONS["in_step"](UNITS)
    again(steps)
    again.set_weights(fusion.get_weights())
    assert_same(out, again(steps))


@pytest.mark.slow
def test_in_step_learns_what_happens_at_once():
    """A pulse each, in 4 steps and in 8: what their means over time do not show."""
    keras.utils.set_random_seed(0)
    slow, fast = np.random.default_rng(0).integers(0, (4, 8), (64, 2)).T
    fast = np.where(np.arange(64) % 2, 2 * slow + fast % 2, fast)
    x = [np.eye(4)[slow][..., None], np.eye(8)[fast][..., None]]
    y = np.float32(fast // 2 == slow)
    inputs = [keras.Input(a.shape[1:]) for a in x]
    fusion = FUSIONS["in_step"](UNITS, kernel_size=1)
    model = keras.Model(inputs, keras.layers.Dense(1)(fusion(inputs)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, metrics=["accuracy"])
    model.fit(x, y, 64, 60, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] == 1.0
