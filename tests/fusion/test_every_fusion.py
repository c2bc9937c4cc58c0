"""What every fusion must do. A new fusion is tested by being listed."""

import itertools

import keras
import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy

WIDTHS = (4, 6, 5)
every_fusion = pytest.mark.parametrize("name", FUSIONS)

# Closed forms, with a_i the widths, n their number and u the units.
PARAMETERS = {
    "sum": lambda a, n, u: sum(a) * u + n * u,
    "concatenation": lambda a, n, u: (sum(a) + n) * u + u,
    "gated": lambda a, n, u: sum(a) * u + sum(a) * n * u,
    "attention": lambda a, n, u: sum(a) * u + n * u + u * u + u,
    "film": lambda a, n, u: sum(a) * u + n * (u * 2 * u + 2 * u),
}


def embeddings(*widths, batch=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((batch, w)).astype("float32") for w in widths]


def layer(name, units=7):
    keras.utils.set_random_seed(0)
    return FUSIONS[name](units)


@every_fusion
def test_has_as_many_parameters_as_its_formula(name):
    fusion = layer(name)
    fusion(embeddings(*WIDTHS))
    assert fusion.count_params() == PARAMETERS[name](WIDTHS, len(WIDTHS), 7)


@every_fusion
def test_any_number_of_inputs(name):
    for n in (1, 2, 5):
        assert layer(name)(embeddings(*[4] * n)).shape == (3, 7)


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
    inputs = [keras.Input((w,)) for w in WIDTHS]
    present = keras.Input((3,), dtype="bool")
    model = keras.Model([*inputs, present], layer(name)(inputs, present=present))
    x = [*embeddings(*WIDTHS, batch=16), np.ones((16, 3), bool)]
    model.save(tmp_path / "model.keras")
    assert_same(model(x), keras.models.load_model(tmp_path / "model.keras")(x))
    assert every_weight_gets_a_gradient(model, x) == []


@every_fusion
def test_mixed_precision(name):
    fusion = FUSIONS[name](7, dtype="mixed_float16")
    present = np.array([[True, False, True]] * 3)
    out = numpy(fusion(embeddings(*WIDTHS), present=present))
    assert out.dtype == "float16" and np.isfinite(out).all()


@every_fusion
def test_rejects_what_is_no_list(name):
    with pytest.raises(ValueError, match="fuses a list"):
        layer(name)(np.zeros((3, 4), "float32"))


@pytest.mark.parametrize("name", [n for n in FUSIONS if not FUSIONS[n].takes_sequences])
def test_rejects_a_sequence(name):
    with pytest.raises(ValueError, match="Pool a sequence first"):
        layer(name)([np.zeros((3, 5, 4)), np.zeros((3, 4))])
