"""ModalityDropout: independent rows, never all inputs, no effect in inference."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import ModalityDropout
from tests.helpers import assert_same
from tests.helpers import numpy

PRESENT = np.random.default_rng(0).random((4_000, 3)) < 0.8
PRESENT[~PRESENT.any(axis=1), 1] = True
ALL = np.ones((20_000, 3), bool)


def drop(rates, present=PRESENT):
    return numpy(ModalityDropout(rates, seed=1)(present, training=True))


def test_drops_each_input_at_its_rate():
    kept = drop([0.2, 0.5, 0.0], ALL)
    np.testing.assert_allclose(kept.mean(axis=0), [0.8, 0.5, 1.0], atol=0.02)


def test_draws_each_row_independently():
    assert len(np.unique(drop([0.2, 0.5, 0.0], ALL), axis=0)) == 4


@pytest.mark.parametrize("rates", [[0.2, 0.5, 0.0], 1.0])
def test_keeps_at_least_one_input_and_adds_none(rates):
    kept = drop(rates)
    assert kept.any(axis=1).all() and not (kept & ~PRESENT).any()


def test_at_rate_1_keeps_one_input_each_with_the_same_probability():
    kept = drop(1.0, ALL)
    assert (kept.sum(axis=1) == 1).all()
    np.testing.assert_allclose(kept.mean(axis=0), 1 / 3, atol=0.02)


def test_a_row_without_inputs_stays_empty():
    assert not drop(0.5, np.zeros((10, 3), bool)).any()


def test_rate_0_drops_nothing():
    np.testing.assert_array_equal(drop(0.0), PRESENT)


def test_inference_drops_nothing():
    np.testing.assert_array_equal(numpy(ModalityDropout(0.9)(PRESENT)), PRESENT)


@pytest.mark.parametrize("rates", [1.0, [1.0, 1.0, 1.0]])
def test_rates_can_change_during_training(rates):
    layer = ModalityDropout(0.0, seed=1)
    np.testing.assert_array_equal(numpy(layer(PRESENT, training=True)), PRESENT)
    layer.set_rates(rates)
    assert (numpy(layer(PRESENT, training=True)).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "rates, message",
    [(1.5, "in .0, 1"), ([0.1, -0.1, 0], "in .0, 1"), ([0.1], "num_inputs=3")],
)
def test_rejects_wrong_rates(rates, message):
    with pytest.raises(ValueError, match=message):
        ModalityDropout(rates)(PRESENT)
    layer = ModalityDropout(0.0)
    layer.build((None, 3))
    with pytest.raises(ValueError, match=message):
        layer.set_rates(rates)


def test_a_saved_model_keeps_the_rates_and_drops_in_training_only(tmp_path):
    present = keras.Input((3,), dtype="bool")
    kept = ModalityDropout([0.5, 0.1, 0.2], name="modality_dropout")(present)
    model = keras.Model(present, keras.ops.cast(kept, "float32"))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    rates = loaded.get_layer("modality_dropout").rates
    np.testing.assert_allclose(numpy(rates), [0.5, 0.1, 0.2])
    assert_same(loaded(PRESENT), PRESENT.astype("float32"))
    assert (numpy(loaded(PRESENT, training=True)) != PRESENT).any()
