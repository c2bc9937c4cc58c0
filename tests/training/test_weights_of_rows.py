"""Weights of rows and of classes in Keras' own `fit`."""

import numpy as np
import pytest

from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


@pytest.fixture(scope="module")
def model():
    model = small_late_fusion()
    model.compile("sgd", loss=THREE.loss(), run_eagerly=True)
    return model


def test_weights_of_classes_need_the_targets_as_an_array(model):
    inputs, targets = small_batch(model)
    ids = targets[THREE.name]
    nothing = dict.fromkeys(range(THREE.size), 0.0)
    assert float(model.train_on_batch(inputs, ids, class_weight=nothing)) == 0
    one = model.fit(inputs, ids, class_weight={**nothing, 1: 1.0}, verbose=0)
    assert one.history["loss"][0] > 0


@pytest.mark.parametrize("by_name", [True, False])
def test_weights_of_rows_are_an_array_or_by_name(model, by_name):
    inputs, targets = small_batch(model)
    weights = np.zeros(12)
    weights = {THREE.name: weights} if by_name else weights
    model.compile("sgd", loss={THREE.name: THREE.loss()}, run_eagerly=True)
    loss = model.fit(inputs, targets, sample_weight=weights, verbose=0)
    assert loss.history["loss"] == [0.0]
