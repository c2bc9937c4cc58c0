"""Training the heads of all towers and of the fusion at once."""

from collections.abc import Callable
from typing import Any

import keras

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import fitted_name
from mbm_keras.inputs import input_keys
from mbm_keras.inputs import unimodal_output_name
from mbm_keras.layers import CalibratedMean
from mbm_keras.tasks import Task

_TRAINED = ("tower", "fusion")  # kinds of heads that learn by gradient descent


def calibrated_mean(model: keras.Model) -> CalibratedMean | None:
    """The layer that joins the answers of a model's heads.

    Args:
        model: A functional `keras.Model`.

    Returns:
        The layer; None for a model without it, see `models.late_fusion.Balance`.
    """
    found = [layer for layer in model.layers if isinstance(layer, CalibratedMean)]
    return found[0] if found else None


def needed_mean(model: keras.Model) -> CalibratedMean:
    """The same for a model that must have it.

    Raises:
        ValueError: If it has none.
    """
    mean = calibrated_mean(model)
    if mean is None:
        raise ValueError(
            "Expected a model with a head on every tower: build it with "
            f"`balance=Balance(calibrate=True)`. Received: model={model.name!r}."
        )
    return mean


def heads_model(model: keras.Model, task: Task, *, fitted: bool = False) -> keras.Model:
    """A model of all heads. It shares the weights of the whole model.

    Args:
        model: A functional `keras.Model`, built with `balance={"calibrate": True}`.
        task: The task.
        fitted: True for the fitted heads too, in the order of the calibrated mean;
            False for those that learn by gradient descent.

    Returns:
        A functional `keras.Model` with the same inputs. Outputs `(batch, size)`: that
        of the fusion by the name of the task, that of every tower by
        `mbm_keras.inputs.unimodal_output_name`, that of a fitted head by
        `mbm_keras.inputs.fitted_name`.

    Raises:
        ValueError: If the model has no such heads.
    """
    mean = needed_mean(model)
    names = _names(model, task, mean.sources)
    outputs = {
        name: answer
        for name, answer, (_, kind) in zip(
            names, _answers(mean), mean.sources, strict=True
        )
        if fitted or kind in _TRAINED
    }
    return keras.Model(model.inputs, outputs, name=f"{model.name}_heads")


def add_heads(model: keras.Model, task: Task) -> Callable[..., Any]:
    """A function that adds the targets of all heads, for `tf.data.Dataset.map`.

    The head of an input learns from the rows that have it alone.

    Args:
        model: The model.
        task: The task.

    Returns:
        A function of inputs and targets, both by name, and optional weights of rows by
        output. It returns inputs, targets by output of `heads_model`, and weights
        likewise if the batch has presence or weights.
    """
    heads = [unimodal_output_name(key, task.name) for key in input_keys(model)]
    names = [*heads, task.name]
    # A layer for `tf.data`, whatever the backend.
    to_float = keras.layers.Rescaling(1.0, dtype="float32")

    def add(inputs, targets, *weights):
        target = targets[task.name]
        targets = dict.fromkeys(names, target)
        if PRESENT not in inputs and not weights:
            return inputs, targets
        # No `keras.ops` in this function: tf.data calls it on every backend.
        by_name = {}
        for i, name in enumerate(names):
            parts = [to_float(weight[task.name]) for weight in weights]
            if PRESENT in inputs:
                present = inputs[PRESENT]
                is_fusion = i == len(names) - 1
                parts.append(
                    to_float(present[:, 0] == present[:, 0])
                    if is_fusion
                    else to_float(present[:, i])
                )
            by_name[name] = parts[0] * parts[-1] if len(parts) > 1 else parts[0]
        return inputs, targets, by_name

    return add


class PlainNames(keras.callbacks.Callback):
    """Gives the values of the fusion's head the names that a single head has.

    Keras puts the name of the output in front of them where there are several, and adds
    the loss of each. It goes before all callbacks that read values.

    Args:
        task: The task.
    """

    def __init__(self, task: Task):
        super().__init__()
        self.names = {
            f"{part}{task.name}_{metric.name}": f"{part}{metric.name}"
            for part in ("", "val_")
            for metric in task.metrics()
        }

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._rename(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._rename(logs)

    def _rename(self, logs):
        values = dict(logs or {})
        for name in values:
            if name not in ("loss", "val_loss"):
                del logs[name]
        logs |= {new: values[old] for old, new in self.names.items() if old in values}


def _names(model, task, sources):
    """Names of the answers of heads, see `heads_model`."""
    keys = input_keys(model)
    names = []
    for position, kind in sources:
        if position is None:
            names.append(task.name)
        elif kind == "tower":
            names.append(unimodal_output_name(keys[position], task.name))
        else:
            names.append(fitted_name(keys[position], kind))
    return names


def _answers(mean):
    """The tensors that a calibrated mean joins, without that of presence."""
    return mean.input[: len(mean.sources)]
