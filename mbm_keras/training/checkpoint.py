"""Early stopping that survives the end of the process."""

import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from data_pipelines import files
from mbm_keras.training import distribution

_STATE = {
    "epoch": int,
    "best": (int, float),
    "best_epoch": int,
    "done": bool,
    "history": dict,
    "seeds": list,
}


class Checkpoint(keras.callbacks.Callback):
    """Keeps the best and the latest weights of one stage on disk, and stops early.

    The state of early stopping is in `state.json` in the folder: the latest epoch, the
    best value and its epoch, the history, the states of random generators, and whether
    the stage is done. Next to it are the weights of the latest and of the best epoch,
    with the state of the optimizer, as `.npz` files. The callback writes all of them
    after every epoch, each in a single step, `state.json` last. If the process is
    killed at any moment, the next one continues after the latest epoch in `state.json`,
    and ends with the same weights, bit for bit, as a run that was not killed. At the
    end of training the model has the best weights. Where several processes train
    together, process 0 alone reads and writes files, and gives the others what it read.

        checkpoint = Checkpoint(folder)
        model.compile(...)
        checkpoint.restore(model)
        model.fit(data, initial_epoch=checkpoint.epoch, callbacks=[checkpoint], ...)

    Args:
        folder: Folder to write to; made if it does not exist. If an earlier process
            left a state in it, training continues from that state.
        monitor: Name of the value that decides which epoch is best.
        mode: `"min"` if smaller values are better, `"max"` if larger ones are.
        patience: Epochs without a better value before training stops; None to run all
            epochs.

    Raises:
        OSError: If the folder cannot be written, was removed, or the disk is full.
        ValueError: If what is in the folder is damaged, or is of another model.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        monitor: str = "val_loss",
        mode: str = "min",
        patience: int | None = None,
    ):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.monitor, self.mode = monitor, mode
        self.patience = patience
        worst = float("inf") if mode == "min" else float("-inf")
        self.epoch, self.best, self.best_epoch = 0, worst, 0
        self.done, self.history, self.seeds = False, {}, []
        if distribution.is_first():
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                self._load_state()
        together = distribution.current()
        if together is not None:
            self._set_state(together.agree(self._get_state()))

    def restore(self, model: keras.Model) -> None:
        """Gives a model the weights that an earlier process left, if there are any.

        Args:
            model: A compiled model. It gets the latest weights, or the best ones if the
                stage is done.
        """
        if self.epoch == 0:
            return
        model.optimizer.build(model.trainable_variables)
        if self.done:
            self._load_best(model)
        else:
            self._load_weights(model, self.epoch)
        for variable, seed in zip(_seeds(model), self.seeds, strict=True):
            variable.assign(seed)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.epoch = epoch + 1
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        value = logs.get(self.monitor, self.best)
        is_better = value < self.best if self.mode == "min" else value > self.best
        if self.monitor not in logs or is_better:
            self.best, self.best_epoch = value, self.epoch
        waited = self.epoch - self.best_epoch
        if self.patience is not None and waited >= self.patience:
            self.model.stop_training = True
        self.done = self.model.stop_training or self.epoch == self.params["epochs"]
        if distribution.is_first():
            self._save_weights()
            self._save_state()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self.best_epoch:
            self._load_best(self.model)
        self.done = True
        if distribution.is_first():
            self._save_state()

    def _load_best(self, model):
        best = self.best_epoch or self.epoch  # 0 if the value was never a number
        self._load_weights(model, best)
        # The files hold the weights of the last step, and their moving average if the
        # optimizer keeps one.
        model.optimizer.finalize_variable_values(model.trainable_variables)

    @property
    def _path(self):
        return self.folder / "state.json"

    def _weights(self, epoch):
        return self.folder / f"epoch-{epoch}.weights.npz"

    def _save_weights(self):
        # In memory first: HDF5 ends the process where the disk is full.
        file = io.BytesIO()
        arrays = {
            f"{i} {variable.path}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(_variables(self.model))
        }
        np.savez(file, **arrays)
        files.write(self._weights(self.epoch), file.getbuffer())

    def _load_weights(self, model, epoch):
        variables, together = _variables(model), distribution.current()
        if distribution.is_first():
            arrays = self._read_weights(model, epoch)
        else:  # of the same shapes and types
            arrays = [keras.ops.convert_to_numpy(variable) for variable in variables]
        if together is not None:
            arrays = together.share(arrays)
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def _read_weights(self, model, epoch):
        path, variables = self._weights(epoch), _variables(model)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = [file[name] for name in file.files]
        except Exception as error:  # many kinds, by what is damaged
            raise ValueError(
                f"`{path}` is missing or damaged ({error}). Delete the folder "
                f"`{self.folder}` to train this stage again."
            ) from None
        found = [array.shape for array in arrays]
        expected = [tuple(variable.shape) for variable in variables]
        if found != expected:
            raise ValueError(
                f"Expected the weights of {model.name!r} in `{path}`. Received: "
                f"{len(found)} arrays, with shapes of another model. Delete the folder "
                f"`{self.folder}` to train this stage again."
            )
        return [
            # NumPy does not know the type bfloat16.
            array.view(keras.ops.convert_to_numpy(variable).dtype)
            if array.dtype.kind == "V"
            else array
            for variable, array in zip(variables, arrays, strict=True)
        ]

    def _save_state(self):
        self.seeds = [
            keras.ops.convert_to_numpy(v).tolist() for v in _seeds(self.model)
        ]
        files.write(self._path, json.dumps(self._get_state()))
        # Only now: until the new state is in place, the old one names its files.
        kept = {self._weights(self.epoch), self._weights(self.best_epoch)}
        for path in self.folder.glob("epoch-*.weights.npz"):
            if path not in kept:
                path.unlink()

    def _get_state(self):
        return {name: getattr(self, name) for name in _STATE}

    def _set_state(self, state):
        for name, kind in _STATE.items():
            if not isinstance(state[name], kind):
                raise TypeError(f"{name}={state[name]!r}")
            setattr(self, name, state[name])

    def _load_state(self):
        try:
            self._set_state(json.loads(self._path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"`{self._path}` is damaged ({error}). Delete the folder "
                f"`{self.folder}` to train this stage again."
            ) from None


def _variables(model):
    """All that training changes, in an order that depends on the model alone."""
    return [*model.weights, *model.optimizer.variables]


def _seeds(model):
    """The states of dropout and other random layers, not saved by `save_weights`."""
    weights = {id(variable) for variable in model.weights}
    return [v for v in model.non_trainable_variables if id(v) not in weights]
