"""The contract of every fusion. A new fusion is tested when it is registered."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.fusion import FUSIONS
from tests.fusion.inputs import OF_EMBEDDINGS
from tests.fusion.inputs import SUBSETS
from tests.fusion.inputs import UNITS
from tests.fusion.inputs import WIDTHS
from tests.fusion.inputs import embeddings
from tests.fusion.inputs import new
from tests.fusion.inputs import replace_absent
from tests.fusion.inputs import shared
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

every_fusion = pytest.mark.parametrize("name", FUSIONS)


@functools.cache
def model_with(name):
    """A model of one fusion, of sequences where it takes them."""
    # Attention has a choice only between several steps.
    steps = (3,) if FUSIONS[name].takes_sequences else ()
    inputs = [keras.Input((*steps, width)) for width in WIDTHS]
    present = keras.Input((3,), dtype="bool")
    return keras.Model([*inputs, present], new(name)(inputs, present=present))


def inputs_of(model, batch=16):
    rng = np.random.default_rng(0)
    shapes = [(batch, *x.shape[1:]) for x in model.inputs[:-1]]
    x = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    return [*x, np.ones((batch, 3), bool)]


@every_fusion
@pytest.mark.parametrize("n", [1, 2, 4])
def test_fuses_any_number_of_inputs(name, n):
    assert new(name)(embeddings(*[4] * n)).shape == (3, UNITS)


@every_fusion
def test_presence_of_all_inputs_equals_no_presence(name):
    x = embeddings()
    assert_same(shared(name)(x), shared(name)(x, present=np.ones((3, 3), bool)))


@every_fusion
def test_content_of_absent_inputs_has_no_effect(name):
    rng = np.random.default_rng(0)
    x = embeddings(batch=80)
    present = rng.random((80, 3)) < 0.5
    present[np.arange(80), rng.integers(0, 3, 80)] = True
    expected = numpy(shared(name)(x, present=present))
    assert np.isfinite(expected).all()
    changed = shared(name)(replace_absent(x, present), present=present)
    assert_same(expected, changed, atol=0)


@every_fusion
def test_every_subset_of_inputs_has_a_different_output(name):
    x = [np.repeat(a, len(SUBSETS), axis=0) for a in embeddings(batch=1)]
    outputs = numpy(shared(name)(x, present=SUBSETS))
    for left, right in itertools.combinations(outputs, 2):
        assert np.abs(left - right).max() > 1e-6


@every_fusion
def test_rows_are_independent_of_their_order(name):
    x = embeddings()
    reversed_rows = [a[::-1].copy() for a in x]
    assert_same(numpy(shared(name)(x))[::-1], shared(name)(reversed_rows))


@pytest.mark.slow
@every_fusion
def test_every_weight_learns(name):
    model = model_with(name)
    assert every_weight_gets_a_gradient(model, inputs_of(model)) == []


@pytest.mark.slow
@every_fusion
def test_is_saved_and_loaded(name, tmp_path):
    model = model_with(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(model(inputs_of(model)), loaded(inputs_of(model)))


@every_fusion
def test_mixed_precision_is_finite(name):
    fusion = FUSIONS[name](UNITS, dtype="mixed_float16")
    out = numpy(fusion(embeddings(), present=np.array([[True, False, True]] * 3)))
    assert out.dtype == "float16" and np.isfinite(out).all()


@pytest.mark.slow
@every_fusion
@pytest.mark.parametrize("scale", [30.0, 1_000.0])
def test_mixed_precision_is_finite_for_large_inputs_and_so_is_its_gradient(name, scale):
    keras.utils.set_random_seed(0)
    fusion = FUSIONS[name](UNITS, dtype="mixed_float16")
    x = [tf.Variable(scale * a) for a in embeddings(*[16] * 3)]
    with tf.GradientTape() as tape:
        out = fusion(x)
        loss = tf.reduce_mean(tf.cast(out, "float32"))
    assert np.isfinite(numpy(out)).all()
    sources = [*fusion.trainable_variables, *(x if scale < 100 else ())]
    for source, gradient in zip(sources, tape.gradient(loss, sources), strict=True):
        assert np.isfinite(numpy(gradient)).all(), source.path


@every_fusion
def test_rejects_a_single_tensor(name):
    with pytest.raises(ValueError, match=r"a list of one or more.*shapes=\(3, 4\)"):
        new(name)(np.zeros((3, 4), "float32"))


@pytest.mark.parametrize("name", OF_EMBEDDINGS)
def test_rejects_a_sequence(name):
    with pytest.raises(ValueError, match=r"pool a sequence first.*\(3, 5, 4\)"):
        new(name)([np.zeros((3, 5, 4)), np.zeros((3, 4))])


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("tensor", {"inner": None}),
        ("matrix_interaction", {"inner": None}),
        ("tucker", {"inner": 100}),
        ("compact_bilinear", {"inner": 1_000_000}),
    ],
)
def test_rejects_a_size_with_too_many_weights(name, arguments):
    message = r"at most 50,000,000 weights.*smaller `inner`.*num_weights=[\d,]+, inner="
    with pytest.raises(ValueError, match=message):
        FUSIONS[name](128, **arguments)(embeddings(128, 128, 128))


def test_block_rejects_chunks_of_unequal_width():
    with pytest.raises(ValueError, match="inner=10, num_chunks=3"):
        FUSIONS["block"](7, inner=10, num_chunks=3)


def test_every_fusion_is_named_with_its_source():
    for name, fusion in FUSIONS.items():
        assert "Source: " in fusion.__doc__ and "http" in fusion.__doc__, name
        assert "Deviation" in fusion.__doc__, name


def count_dense(widths, units):
    """Parameters of a dense layer for each of the widths."""
    return sum(width * units + units for width in widths)


def count_outer(widths):
    return math.prod(width + 1 for width in widths)


def count_block(width, crosses=False):
    """Parameters of a transformer block."""
    return 12 * width**2 + 13 * width + (2 * width if crosses else 0)


def count_perceiver(a, n, u):
    """A null token, n modality embeddings, 8 latents, and 2 pairs of blocks."""
    blocks = 2 * (count_block(u, True) + count_block(u))
    return count_dense(a, u) + (1 + n + 8) * u + blocks + 2 * u


# Closed forms, with a the widths, n their number and u the units.
PARAMETERS = {
    "attention": lambda a, n, u: sum(a) * u + n * u + u * u + u,
    "block": lambda a, n, u: (
        count_dense(a, 120) + 6 * n * (400 * 5 + 20 * 5) + 120 * u + u
    ),
    "bottleneck": lambda a, n, u: (
        count_dense(a, u) + 4 * u + 2 * n * count_block(u) + 2 * u
    ),
    "compact_bilinear": lambda a, n, u: 1_024 * u + u,
    "concatenation": lambda a, n, u: (sum(a) + n) * u + u,
    "cross_attention": lambda a, n, u: (
        count_dense(a, u) + 3 * u + n * count_block(u, True)
    ),
    "cross_modal": lambda a, n, u: (
        (sum(a) + 1) * 32
        + n * (n - 1) * 2 * count_block(32, True)
        + n * (count_block((n - 1) * 32) + 2 * (n - 1) * 32)
        + n * (n - 1) * 32 * u
        + u
    ),
    "film": lambda a, n, u: sum(a) * u + n * (u * 2 * u + 2 * u),
    "gated": lambda a, n, u: sum(a) * u + sum(a) * n * u,
    "in_step": lambda a, n, u: (
        count_dense(a, u) + 5 * (n + 1) * u * u + 2 * u + 2 * u * u + u
    ),
    "low_rank": lambda a, n, u: 4 * u * sum(x + 1 for x in a) + 4 + u,
    "matrix_interaction": lambda a, n, u: count_outer(a) * u,
    "maximum": lambda a, n, u: count_dense(a, u),
    "mean": lambda a, n, u: count_dense(a, u),
    "mfb": lambda a, n, u: count_dense(a, 128 * 5) + 128 * u + u,
    "mfh": lambda a, n, u: 2 * count_dense(a, 128 * 5) + 2 * 128 * u + u,
    "mixture_of_experts": lambda a, n, u: count_dense(a, u) + sum(a) * n + n,
    "mlb": lambda a, n, u: count_dense(a, 128) + 128 * u + u,
    "mutan": lambda a, n, u: count_dense(a, 64) + n * 65 * 64 * 5 + 64 * u + u,
    "non_local": lambda a, n, u: (a[0] + 2 * sum(a[1:])) * u,
    "perceiver": count_perceiver,
    "perceiver_io": lambda a, n, u: count_perceiver(a, n, u) + u + count_block(u, True),
    "product": lambda a, n, u: count_dense(a, u),
    "product_of_experts": lambda a, n, u: count_dense(a, 2 * u),
    "scalar_interaction": lambda a, n, u: (a[0] + 1) * u + 2 * count_dense(a[1:], 1),
    "squeeze_excitation": lambda a, n, u: (
        (sum(a) + 1) * (sum(a) // 4) + (sum(a) // 4 + 1) * sum(a) + count_dense(a, u)
    ),
    "sum": lambda a, n, u: sum(a) * u + n * u,
    "tensor": lambda a, n, u: count_dense(a, 16) + 17**n * u + u,
    "transformer": lambda a, n, u: (
        count_dense(a, u) + n * u + 2 * count_block(u) + 2 * u
    ),
    "tucker": lambda a, n, u: count_dense(a, 16) + 16 ** (n + 1) + 16 + 16 * u + u,
    "vector_interaction": lambda a, n, u: (a[0] + 1) * u + 2 * count_dense(a[1:], u),
}


@every_fusion
def test_number_of_parameters_equals_its_formula(name):
    weights = shared(name).trainable_weights
    counted = sum(math.prod(w.shape) for w in weights)
    assert counted == PARAMETERS[name](WIDTHS, len(WIDTHS), UNITS)
