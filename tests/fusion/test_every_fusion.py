"""What every fusion must do. A new fusion is tested by being listed."""

import itertools
import math

import keras
import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

WIDTHS = (4, 6, 5)
UNITS = 8  # a multiple of four heads
every_fusion = pytest.mark.parametrize("name", FUSIONS)


def every(a, o):
    """Parameters of a dense layer for each of the widths."""
    return sum(width * o + o for width in a)


def outer(a):
    return math.prod(width + 1 for width in a)


def block(w, crosses=False):
    """Parameters of a transformer's block of a width."""
    return 12 * w**2 + 13 * w + (2 * w if crosses else 0)


def perceiver(a, n, u):
    """A null place, n kinds and 8 latents; two readings, each with a block."""
    return every(a, u) + (1 + n + 8) * u + 2 * (block(u, True) + block(u)) + 2 * u


# Closed forms, with a the widths, n their number and u the units.
PARAMETERS = {
    "attention": lambda a, n, u: sum(a) * u + n * u + u * u + u,
    "block": lambda a, n, u: every(a, 120) + 6 * n * (400 * 5 + 20 * 5) + 120 * u + u,
    "bottleneck": lambda a, n, u: every(a, u) + 4 * u + 2 * n * block(u) + 2 * u,
    "compact_bilinear": lambda a, n, u: 1_024 * u + u,
    "concatenation": lambda a, n, u: (sum(a) + n) * u + u,
    "cross_attention": lambda a, n, u: every(a, u) + 3 * u + n * block(u, True),
    "cross_modal": lambda a, n, u: (
        (sum(a) + 1) * 32
        + n * (n - 1) * 2 * block(32, True)
        + n * (block((n - 1) * 32) + 2 * (n - 1) * 32)
        + n * (n - 1) * 32 * u
        + u
    ),
    "film": lambda a, n, u: sum(a) * u + n * (u * 2 * u + 2 * u),
    "gated": lambda a, n, u: sum(a) * u + sum(a) * n * u,
    "low_rank": lambda a, n, u: 4 * u * sum(x + 1 for x in a) + 4 + u,
    "matrix_interaction": lambda a, n, u: outer(a) * u,
    "maximum": lambda a, n, u: every(a, u),
    "mean": lambda a, n, u: every(a, u),
    "mfb": lambda a, n, u: every(a, 128 * 5) + 128 * u + u,
    "mfh": lambda a, n, u: 2 * every(a, 128 * 5) + 2 * 128 * u + u,
    "mixture_of_experts": lambda a, n, u: every(a, u) + sum(a) * n + n,
    "mlb": lambda a, n, u: every(a, 128) + 128 * u + u,
    "mutan": lambda a, n, u: every(a, 64) + n * 65 * 64 * 5 + 64 * u + u,
    "non_local": lambda a, n, u: (a[0] + 2 * sum(a[1:])) * u,
    "perceiver": perceiver,
    "perceiver_io": lambda a, n, u: perceiver(a, n, u) + u + block(u, True),
    "product": lambda a, n, u: every(a, u),
    "product_of_experts": lambda a, n, u: every(a, 2 * u),
    "scalar_interaction": lambda a, n, u: (a[0] + 1) * u + 2 * every(a[1:], 1),
    "squeeze_excitation": lambda a, n, u: (
        (sum(a) + 1) * (sum(a) // 4) + (sum(a) // 4 + 1) * sum(a) + every(a, u)
    ),
    "sum": lambda a, n, u: sum(a) * u + n * u,
    "tensor": lambda a, n, u: every(a, 16) + 17**n * u + u,
    "transformer": lambda a, n, u: every(a, u) + n * u + 2 * block(u) + 2 * u,
    "tucker": lambda a, n, u: every(a, 16) + 16 ** (n + 1) + 16 + 16 * u + u,
    "vector_interaction": lambda a, n, u: (a[0] + 1) * u + 2 * every(a[1:], u),
}


def embeddings(*widths, batch=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((batch, w)).astype("float32") for w in widths]


def layer(name, units=UNITS):
    keras.utils.set_random_seed(0)
    return FUSIONS[name](units)


@every_fusion
def test_has_as_many_parameters_as_its_formula(name):
    fusion = layer(name)
    fusion(embeddings(*WIDTHS))
    counted = sum(math.prod(w.shape) for w in fusion.trainable_weights)
    assert counted == PARAMETERS[name](WIDTHS, len(WIDTHS), UNITS)


@every_fusion
def test_any_number_of_inputs(name):
    for n in (1, 2, 4):
        assert layer(name)(embeddings(*[4] * n)).shape == (3, UNITS)


@every_fusion
def test_present_everywhere_is_as_no_presence(name):
    fusion, x = layer(name), embeddings(*WIDTHS)
    assert_same(fusion(x), fusion(x, present=np.ones((3, 3), bool)))


@every_fusion
@pytest.mark.parametrize("seed", range(5))
def test_the_content_of_an_absent_input_does_not_matter(name, seed):
    fusion = layer(name)
    rng = np.random.default_rng(seed)
    x = embeddings(*WIDTHS, batch=16, seed=seed)
    present = rng.random((16, 3)) < 0.5
    present[np.arange(16), rng.integers(0, 3, 16)] = True
    other = [np.where(present[:, i : i + 1], a, np.nan) for i, a in enumerate(x)]
    right = numpy(fusion(x, present=present))
    assert np.isfinite(right).all()
    assert_same(right, fusion(other, present=present), atol=0)


@every_fusion
def test_every_subset_gives_an_output_of_its_own(name):
    fusion, x = layer(name), embeddings(*WIDTHS, batch=1)
    outputs = []
    for present in itertools.product([False, True], repeat=3):
        if any(present):
            outputs.append(numpy(fusion(x, present=np.array([present])))[0])
    for left, right in itertools.combinations(outputs, 2):
        assert np.abs(left - right).max() > 1e-6


@every_fusion
def test_the_order_of_rows_does_not_matter(name):
    fusion, x = layer(name), embeddings(*WIDTHS)
    assert_same(numpy(fusion(x))[::-1], fusion([a[::-1].copy() for a in x]))


@every_fusion
def test_every_weight_learns_and_the_layer_comes_back_from_disk(name, tmp_path):
    x = embeddings(*WIDTHS, batch=16)
    if FUSIONS[name].takes_sequences:
        # With one place there is nothing for attention to choose between.
        rng = np.random.default_rng(0)
        x = [rng.standard_normal((16, 3, w)).astype("float32") for w in WIDTHS]
    inputs = [keras.Input(a.shape[1:]) for a in x]
    present = keras.Input((3,), dtype="bool")
    model = keras.Model([*inputs, present], layer(name)(inputs, present=present))
    x = [*x, np.ones((16, 3), bool)]
    model.save(tmp_path / "model.keras")
    assert_same(model(x), keras.models.load_model(tmp_path / "model.keras")(x))
    assert every_weight_gets_a_gradient(model, x) == []


@every_fusion
def test_mixed_precision(name):
    fusion = FUSIONS[name](UNITS, dtype="mixed_float16")
    present = np.array([[True, False, True]] * 3)
    out = numpy(fusion(embeddings(*WIDTHS), present=present))
    assert out.dtype == "float16" and np.isfinite(out).all()


@every_fusion
def test_rejects_what_is_no_list(name):
    with pytest.raises(ValueError, match="fuses a list"):
        layer(name)(np.zeros((3, 4), "float32"))


every_fusion_of_sequences = pytest.mark.parametrize(
    "name", [n for n in FUSIONS if FUSIONS[n].takes_sequences]
)


def sequences(batch=4, seed=0):
    """Sequences of unequal length, an embedding between them, and their masks."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal(s) for s in ((batch, 5, 4), (batch, 6), (batch, 3, 5))]
    masks = [np.ones((batch, 5), bool), None, np.ones((batch, 3), bool)]
    masks[0][:, 3:] = masks[2][1:, 2:] = False
    return [a.astype("float32") for a in x], masks


@every_fusion_of_sequences
def test_the_content_of_padding_does_not_matter(name):
    fusion, (x, masks) = layer(name), sequences()
    right = numpy(fusion(x, mask=masks))
    assert right.shape == (4, UNITS)
    other = [
        a if m is None else np.where(m[..., None], a, 9.0)
        for a, m in zip(x, masks, strict=True)
    ]
    assert_same(right, fusion(other, mask=masks))
    # And how much of it there is neither.
    longer = [np.pad(x[0], ((0, 0), (0, 2), (0, 0))), *x[1:]]
    masks = [np.pad(masks[0], ((0, 0), (0, 2))), *masks[1:]]
    assert_same(right, fusion(longer, mask=masks))


@every_fusion_of_sequences
def test_the_content_of_an_absent_sequence_does_not_matter(name):
    fusion, (x, masks) = layer(name), sequences(8)
    for present in itertools.product([False, True], repeat=3):
        if not any(present):
            continue
        here = np.array([present] * 8)
        other = [
            a if p else np.full_like(a, np.nan) for a, p in zip(x, present, strict=True)
        ]
        right = numpy(fusion(x, present=here, mask=masks))
        assert np.isfinite(right).all()
        assert_same(right, fusion(other, present=here, mask=masks), atol=0)


@every_fusion_of_sequences
def test_the_output_answers_to_every_place(name):
    fusion, (x, _) = layer(name), sequences()
    right = numpy(fusion(x))
    for i, a in enumerate(x):
        for place in range(a.shape[1] if a.ndim == 3 else 1):
            other = [b.copy() for b in x]
            if a.ndim == 3:
                other[i][:, place] += 1.0
            else:
                other[i] += 1.0
            assert np.abs(numpy(fusion(other)) - right).max() > 1e-6


@pytest.mark.parametrize("name", [n for n in FUSIONS if not FUSIONS[n].takes_sequences])
def test_rejects_a_sequence(name):
    with pytest.raises(ValueError, match="Pool a sequence first"):
        layer(name)([np.zeros((3, 5, 4)), np.zeros((3, 4))])


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("tensor", {"inner": None}),
        ("matrix_interaction", {"inner": None}),
        ("tucker", {"inner": 100}),
        ("compact_bilinear", {"inner": 1_000_000}),
    ],
)
def test_an_absurd_size_is_refused_with_its_number(name, arguments):
    with pytest.raises(ValueError, match=r"would have [\d,]+ weights.*smaller `inner`"):
        FUSIONS[name](128, **arguments)(embeddings(128, 128, 128))


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="inner=10, chunks=3"):
        FUSIONS["block"](7, inner=10, chunks=3)
