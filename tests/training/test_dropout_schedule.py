"""Rates of modality dropout, epoch by epoch."""

import keras
import numpy as np
import pytest

from mbm_keras.layers import ModalityDropout
from mbm_keras.models.late_fusion import Absence
from mbm_keras.training import ModalityDropoutSchedule
from tests.helpers import numpy
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def fit(callbacks, epochs=1, **arguments):
    model = small_late_fusion(**arguments)
    model.compile("sgd", {THREE.name: THREE.loss()}, jit_compile=False)
    model.fit(*small_batch(model), epochs=epochs, verbose=0, callbacks=callbacks)


def test_rates_follow_the_schedule():
    rates = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            layer = self.model.get_layer("modality_dropout")
            assert isinstance(layer, ModalityDropout)
            rates.append(numpy(layer.rates).tolist())

    schedule = ModalityDropoutSchedule(lambda epoch: [0.5, 0.1, 0.0] if epoch else 0.2)
    fit([schedule, Look()], epochs=2, absence=Absence(dropout=0.0))
    np.testing.assert_allclose(rates, [[0.2] * 3, [0.5, 0.1, 0.0]])


def test_a_wrong_rate_is_an_error_with_its_epoch():
    with pytest.raises(ValueError, match="1.5 for epoch 0"):
        fit([ModalityDropoutSchedule(lambda epoch: 1.5)], absence=Absence(dropout=0.0))


def test_a_model_without_the_layer_is_an_error():
    with pytest.raises(ValueError, match="layer 'modality_dropout'"):
        fit([ModalityDropoutSchedule(lambda epoch: 0.5)])
