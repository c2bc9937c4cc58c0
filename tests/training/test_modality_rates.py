"""A learning rate of its own for each modality."""

import keras
import numpy as np
import pytest

from mbm_keras.inputs import tower_name
from mbm_keras.training import modality_rates
from tests.helpers import numpy
from tests.toys import KEYS
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def step(optimizer, rates):
    """The change of the weights in one step, by name of the layer."""
    model = small_late_fusion()
    optimizer = modality_rates(optimizer, model, rates)
    model.compile(optimizer, {THREE.name: THREE.loss()}, jit_compile=False)
    weights = {
        name: model.get_layer(name).trainable_weights
        for name in [*map(tower_name, KEYS), "hidden"]
    }
    before = {name: numpy(values) for name, values in weights.items()}
    model.train_on_batch(*small_batch(model, rows=8))
    return {
        name: [new - old for new, old in zip(numpy(values), before[name], strict=True)]
        for name, values in weights.items()
    }


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.SGD, keras.optimizers.Adam], ids=["sgd", "adam"]
)
def test_a_tower_at_half_the_rate_changes_half_as_much(optimizer):
    plain = step(optimizer(0.01), {})
    scaled = step(optimizer(0.01), {"image": 0.5, "audio": 0.0})
    factors = {"image_tower": 0.5, "audio_tower": 0.0}
    for name, steps in plain.items():
        assert max(np.abs(step).max() for step in steps) > 1e-5
        for one, other in zip(steps, scaled[name], strict=True):
            np.testing.assert_allclose(other, factors.get(name, 1.0) * one, atol=1e-6)


def test_a_rate_without_a_tower_is_an_error():
    with pytest.raises(ValueError, match=r"\['audio', 'image', 'table'\].*'smell'"):
        modality_rates(keras.optimizers.Adam(), small_late_fusion(), {"smell": 0.1})


def test_a_rate_below_zero_is_an_error():
    with pytest.raises(ValueError, match="'image': -1"):
        modality_rates(keras.optimizers.Adam(), small_late_fusion(), {"image": -1})
