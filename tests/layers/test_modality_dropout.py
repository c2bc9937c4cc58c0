"""ModalityDropout: each row for itself, never everything, and nothing when serving."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import ModalityDropout
from mbm_keras.models import late_fusion
from mbm_keras.models.late_fusion import Absence
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs

PRESENT = np.random.default_rng(0).random((4_000, 3)) < 0.8
PRESENT[~PRESENT.any(axis=1), 1] = True


def dropped(rates, present=PRESENT, **more):
    return numpy(ModalityDropout(rates, seed=1, **more)(present, training=True))


def test_each_row_draws_for_itself_and_keeps_at_least_one():
    kept = dropped([0.2, 0.5, 0.0])
    assert not (kept & ~PRESENT).any() and kept.any(axis=1).all()
    everything = dropped([0.2, 0.5, 0.0], np.ones((20_000, 3), bool))
    np.testing.assert_allclose(everything.mean(axis=0), [0.8, 0.5, 1.0], atol=0.02)
    assert len(np.unique(everything, axis=0)) == 4


def test_at_rate_1_one_stays_each_with_the_same_chance():
    kept = dropped(1.0, np.ones((9_000, 3), bool))
    assert (kept.sum(axis=1) == 1).all()
    np.testing.assert_allclose(kept.mean(axis=0), 1 / 3, atol=0.02)
    kept = dropped(1.0)
    assert (kept.sum(axis=1) == 1).all() and not (kept & ~PRESENT).any()


def test_who_has_nothing_is_given_nothing():
    assert not dropped(0.5, np.zeros((10, 3), bool)).any()


def test_rate_0_and_serving_change_nothing():
    np.testing.assert_array_equal(dropped(0.0), PRESENT)
    np.testing.assert_array_equal(numpy(ModalityDropout(0.9)(PRESENT)), PRESENT)


def test_a_callback_may_change_the_rates():
    layer = ModalityDropout(0.0, seed=1)
    np.testing.assert_array_equal(numpy(layer(PRESENT, training=True)), PRESENT)
    layer.rates.assign([1.0, 1.0, 1.0])
    assert (numpy(layer(PRESENT, training=True)).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "rates, said",
    [
        (1.5, "in .0, 1"),
        ([0.1, -0.1, 0], "in .0, 1"),
        ([0.1], "each input.*num_inputs=3"),
    ],
)
def test_rejects(rates, said):
    with pytest.raises(ValueError, match=said):
        ModalityDropout(rates)(PRESENT)


def test_a_model_with_it_serves_as_one_without_and_comes_back_from_disk(tmp_path):
    tiny = late_fusion.PRESETS["tiny"].arguments
    plain = late_fusion.build(**tiny)
    model = late_fusion.build(**tiny, absence=Absence(dropout=[0.5, 0.1, 0.1, 0.1]))
    x = random_inputs(model, batch=64)
    weights = [w for w in model.weights if not w.path.startswith("modality_dropout")]
    weights = [w for w in weights if "seed" not in w.path]
    plain.set_weights([numpy(w) for w in weights][: len(plain.get_weights())])
    assert_same(model(x, training=False), plain(x, training=False))
    outputs = numpy(model(x, training=True))["label"]
    assert np.abs(outputs - numpy(model(x, training=True))["label"]).max() > 1e-4
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded(x), model(x))
    np.testing.assert_allclose(
        numpy(loaded.get_layer("modality_dropout").rates), [0.5, 0.1, 0.1, 0.1]
    )
