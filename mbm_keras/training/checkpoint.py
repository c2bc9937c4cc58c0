"""Early stopping that survives a stop of the process."""

import json
import pathlib

import keras


class Checkpoint(keras.callbacks.Callback):
    """Keeps the best and the latest weights of one stage on disk.

    After every epoch the folder holds `latest.weights.h5` (weights and optimiser),
    `best.weights.h5` and `state.json`. At the end of training the best weights are
    those of the model. A folder that was written before is gone on with: give
    `initial_epoch=checkpoint.epoch` to `fit` after `restore`.

    Args:
        folder: Where to write; made if it is not there.
        monitor: The figure that tells a good epoch, smaller is better.
        patience: Epochs without a better figure before training stops; None for
            never.
    """

    def __init__(self, folder, monitor="val_loss", patience=None):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.monitor = monitor
        self.patience = patience
        self.epoch, self.best, self.best_epoch = 0, float("inf"), 0
        self.done, self.history = False, {}

    def restore(self, model):
        """Reads what an earlier process left; True if there was anything.

        Args:
            model: A compiled model; it gets the latest weights, or the best ones if
                the stage was done.
        """
        if not self._path("state.json").exists():
            return False
        state = json.loads(self._path("state.json").read_text())
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_epoch, self.history = state["best_epoch"], state["history"]
        self.done = state["done"]
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._path(self._weights(state)))
        return True

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.epoch = epoch + 1
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.monitor not in logs or logs[self.monitor] < self.best:
            self.best, self.best_epoch = logs.get(self.monitor, self.best), self.epoch
            self._save_weights("best.weights.h5")
        waited = self.epoch - self.best_epoch
        if self.patience is not None and waited >= self.patience:
            self.model.stop_training = True
        self._save_weights("latest.weights.h5")
        self._save_state()

    def on_train_end(self, logs=None):
        if self._path("best.weights.h5").exists():
            self.model.load_weights(self._path("best.weights.h5"))
        self.done = True
        self._save_state()

    def _weights(self, state):
        return "best.weights.h5" if state["done"] else "latest.weights.h5"

    def _path(self, name):
        return self.folder / name

    def _save_weights(self, name):
        # Written beside and moved, so that a kill leaves the old file or the new one.
        self.model.save_weights(self._path(f"new-{name}"), overwrite=True)
        self._path(f"new-{name}").replace(self._path(name))

    def _save_state(self):
        state = {
            "epoch": self.epoch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "done": self.done,
            "history": self.history,
        }
        self._path("new-state.json").write_text(json.dumps(state))
        self._path("new-state.json").replace(self._path("state.json"))
