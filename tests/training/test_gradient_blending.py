"""Weights of losses from how they overfit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.models.late_fusion import Balance
from mbm_keras.training import blending_weights
from mbm_keras.training import fit_blended
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion

HISTORIES = {
    # Overfits by 0.3 while it gains 0.2, and by 0.7 while it gains 0.1.
    "a": {"loss": [1.0, 0.7, 0.5], "val_loss": [1.0, 0.9, 0.8]},
    "b": {"loss": [1.0, 0.9, 0.2], "val_loss": [1.0, 0.5, 0.9]},
    # Does not generalize: weight 0.
    "c": {"loss": [1.0, 0.9, 0.8], "val_loss": [1.0, 1.1, 1.2]},
}


def test_weights_are_those_of_a_worked_example():
    a, b = 0.2 / 0.3**2, 0.1 / 0.7**2
    weights = blending_weights(HISTORIES)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b), "c": 0.0})


def test_weights_depend_on_the_two_checkpoints():
    a, b = 0.1 / 0.2**2, 0.5 / 0.4**2
    weights = blending_weights(HISTORIES, 0, 1)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b), "c": 0.0})


@pytest.mark.parametrize(
    "history, epochs",
    [
        ({"loss": [1.0, 0.5]}, (0, -1)),
        ({"loss": [1.0], "val_loss": [1.0]}, (0, -1)),
        ({"loss": [1.0, 0.5], "val_loss": [1.0, 0.9]}, (1, 0)),
        ({"loss": [1.0, 0.5], "val_loss": [1.0, 0.9]}, (0, 5)),
        ({"loss": [1.0, 0.5], "val_loss": [1.0, 1.9]}, (0, 1)),
    ],
)
def test_a_history_without_the_checkpoints_is_an_error(history, epochs):
    with pytest.raises(ValueError, match="checkpoints"):
        blending_weights({"a": history}, *epochs)


def test_weights_are_computed_anew_while_it_trains(eagerly, capsys):
    model = small_late_fusion(balance=Balance(unimodal_heads=True))
    x, y = small_batch(model, rows=24)
    x["table"][:, 0] = y[THREE.name]  # only the table says the label
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(12)
    history = fit_blended(
        model, data, data, task=THREE, optimizer=keras.optimizers.Adam(0.01),
        epochs=5, every=2, verbose=0,
    )  # fmt: skip
    assert len(history["loss"]) == 5
    weights = np.array([history[f"weight_{output}"] for output in model.output])
    np.testing.assert_allclose(weights.sum(0), 1.0)
    np.testing.assert_allclose(weights[:, :2], 0.25)
    assert np.ptp(weights[:, 2]) > 0.01 and (weights[:, 2] == weights[:, 3]).all()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "balance, every, message",
    [
        (Balance(unimodal_heads=True), 1, "every=1"),
        (Balance(), 2, r"outputs=\['label'\]"),
    ],
)
def test_one_checkpoint_or_one_output_is_an_error(balance, every, message):
    model = small_late_fusion(balance=balance)
    with pytest.raises(ValueError, match=message):
        fit_blended(model, [], [], task=THREE, optimizer="adam", epochs=2, every=every)
