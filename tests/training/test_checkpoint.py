"""Checkpoint: what is on disk after an epoch, and early stopping."""

import keras
import numpy as np
import pytest

from mbm_keras.training import Checkpoint
from tests.toys import are_same


def compiled_model(learning_rate=0.01):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def fit(model, checkpoint, epochs):
    x = np.random.default_rng(0).standard_normal((16, 2))
    checkpoint.restore(model)
    model.fit(
        x,
        x.sum(axis=1),
        validation_data=(x, -x.sum(axis=1)),  # gets worse while it trains
        initial_epoch=checkpoint.epoch,
        epochs=epochs,
        callbacks=[checkpoint],
        shuffle=False,
        verbose=0,
    )
    return model


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_without_a_state_a_model_keeps_its_weights(tmp_path):
    model = compiled_model()
    before = model.get_weights()
    checkpoint = Checkpoint(tmp_path / "new")
    checkpoint.restore(model)
    assert checkpoint.epoch == 0 and not checkpoint.done
    assert are_same(before, model.get_weights())


def test_the_folder_holds_the_best_and_the_latest_weights(tmp_path):
    fit(compiled_model(), Checkpoint(tmp_path), 4)
    assert {path.name for path in tmp_path.iterdir()} == {
        "state.json",
        "epoch-1.weights.npz",
        "epoch-4.weights.npz",
    }


def test_the_model_ends_with_the_weights_of_the_best_epoch(tmp_path):
    best = fit(compiled_model(), Checkpoint(tmp_path / "one"), 1)
    model = fit(compiled_model(), Checkpoint(tmp_path / "four"), 4)
    assert are_same(best.get_weights(), model.get_weights())


def test_a_larger_value_is_better_where_the_mode_says_so(tmp_path):
    checkpoint = Checkpoint(tmp_path, mode="max")  # of a loss that rises
    fit(compiled_model(), checkpoint, 3)
    assert checkpoint.best_epoch == 3
    assert checkpoint.best == max(checkpoint.history["val_loss"])


def test_patience_ends_the_training(tmp_path):
    checkpoint = Checkpoint(tmp_path, patience=2)
    fit(compiled_model(), checkpoint, 40)
    assert checkpoint.epoch == 3 and checkpoint.best_epoch == 1 and checkpoint.done


def test_a_finished_training_restores_the_best_weights(tmp_path):
    model = fit(compiled_model(), Checkpoint(tmp_path), 3)
    again = compiled_model()
    checkpoint = Checkpoint(tmp_path)
    checkpoint.restore(again)
    assert checkpoint.done and checkpoint.history["loss"]
    assert are_same(model.get_weights(), again.get_weights())


def test_an_epoch_that_is_not_in_the_state_is_trained_again(tmp_path):
    """As a kill between the weights of an epoch and its state leaves the folder."""
    checkpoint = Checkpoint(tmp_path, monitor="loss")
    model = compiled_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            np.ones((4, 2)),
            np.ones(4),
            epochs=5,
            verbose=0,
            callbacks=[checkpoint, Interrupt()],
        )
    (tmp_path / "epoch-3.weights.npz").write_bytes(b"half of a file")
    checkpoint = Checkpoint(tmp_path, monitor="loss")
    assert checkpoint.epoch == 2
    fit(compiled_model(), checkpoint, 5)
    assert len(checkpoint.history["loss"]) == 5


def test_a_loss_that_is_never_a_number_restores_the_latest_weights(tmp_path):
    model, nan = compiled_model(), np.full(4, np.nan)
    model.fit(np.ones((4, 2)), nan, verbose=0, callbacks=[Checkpoint(tmp_path, "loss")])
    checkpoint = Checkpoint(tmp_path, "loss")
    again = compiled_model()
    checkpoint.restore(again)
    assert checkpoint.best_epoch == 0
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_an_equal_value_is_not_a_better_one(tmp_path):
    model = compiled_model()
    model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint(tmp_path, "loss", patience=2)
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 9})
    stopped = []
    for epoch, value in enumerate([1.0, 1.0, 0.9, 0.9, 0.9]):
        model.stop_training = False
        checkpoint.on_epoch_end(epoch, {"loss": value})
        stopped.append((model.stop_training, checkpoint.best_epoch, checkpoint.done))
    assert stopped == [
        (False, 1, False),
        (False, 1, False),
        (False, 3, False),
        (False, 3, False),
        (True, 3, True),
    ]
    assert (checkpoint.best, checkpoint.epoch) == (0.9, 5)
    assert checkpoint.history == {"loss": [1.0, 1.0, 0.9, 0.9, 0.9]}
