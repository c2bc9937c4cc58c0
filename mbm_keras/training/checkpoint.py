"""Early stopping that survives a stop of the process."""

import json
import pathlib

import keras


class Checkpoint(keras.callbacks.Callback):
    """Keeps the best and the latest weights of one stage on disk.

    After every epoch the folder holds the weights of the latest and of the best epoch,
    those of the optimiser among them, and `state.json`, which names the files. It is
    written last and moved into its place: a run that is killed at any moment goes on
    after the last epoch that it names, and ends with the weights, bit for bit, of one
    that was not. At the end of training the best weights are those of the model.

        keeper = Checkpoint(folder)
        model.compile(...)
        keeper.restore(model)
        model.fit(data, initial_epoch=keeper.epoch, callbacks=[keeper], ...)

    Args:
        folder: Where to write; made if it is not there. What an earlier process left
            in it is gone on with.
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
        self.done, self.history, self.seeds = False, {}, []
        if self._state.exists():
            for name, value in json.loads(self._state.read_text()).items():
                setattr(self, name, value)

    def restore(self, model):
        """Gives a model what an earlier process left.

        Args:
            model: A compiled model; it gets the latest weights, or the best ones if
                the stage was done.
        """
        if self.epoch == 0:
            return
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._weights(self.best_epoch if self.done else self.epoch))
        for variable, seed in zip(_seeds(model), self.seeds, strict=True):
            variable.assign(seed)

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.epoch = epoch + 1
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        if self.monitor not in logs or logs[self.monitor] < self.best:
            self.best, self.best_epoch = logs.get(self.monitor, self.best), self.epoch
        waited = self.epoch - self.best_epoch
        if self.patience is not None and waited >= self.patience:
            self.model.stop_training = True
        self.done = self.model.stop_training or self.epoch == self.params["epochs"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.save_weights(self._weights(self.epoch), overwrite=True)
        self._save_state()

    def on_train_end(self, logs=None):
        if self.best_epoch:
            self.model.load_weights(self._weights(self.best_epoch))
        self.done = True
        self._save_state()

    @property
    def _state(self):
        return self.folder / "state.json"

    def _weights(self, epoch):
        return self.folder / f"epoch-{epoch}.weights.h5"

    def _save_state(self):
        self.seeds = [v.numpy().tolist() for v in _seeds(self.model)]
        names = ("epoch", "best", "best_epoch", "done", "history", "seeds")
        new = self.folder / "new-state.json"
        new.write_text(json.dumps({name: getattr(self, name) for name in names}))
        new.replace(self._state)
        wanted = {self._weights(self.epoch), self._weights(self.best_epoch)}
        for path in self.folder.glob("epoch-*.weights.h5"):
            if path not in wanted:
                path.unlink()


def _seeds(model):
    """The states of dropout and the like, which `save_weights` leaves out."""
    weights = {id(variable) for variable in model.weights}
    return [v for v in model.non_trainable_variables if id(v) not in weights]
