"""Loss and metrics of a model, from its predictions."""

import keras
import numpy as np
from keras import ops


def predict(model, dataset):
    """Runs a model over a dataset.

    Args:
        model: A functional `keras.Model` with a dict of outputs.
        dataset: Batches of `(inputs, targets)`, both by name.

    Returns:
        Outputs by name and targets by name, arrays over all rows.
    """
    predicted, targets = [], []
    for x, y in dataset:
        inputs = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
        predicted.append(model.predict_on_batch(inputs))
        targets.append({name: np.asarray(value) for name, value in y.items()})
    return _joined(predicted), _joined(targets)


def score(predicted, targets, *, losses, metrics):
    """Loss and metrics of predictions.

    Args:
        predicted: Outputs by name, as `predict` gives them.
        targets: Targets by the same names.
        losses: As for `compile`: losses by output name.
        metrics: As for `compile`: lists of metrics by output name.

    Returns:
        `{"loss": ..., metric name: ...}` as floats. With several outputs the names
        begin with that of the output.
    """
    figures, total = {}, 0.0
    for name, loss in losses.items():
        total += float(loss(targets[name], predicted[name]))
        for metric in metrics[name]:
            metric.reset_state()
            metric.update_state(targets[name], predicted[name])
            label = metric.name if len(losses) == 1 else f"{name}_{metric.name}"
            figures[label] = float(ops.convert_to_numpy(metric.result()))
    return {"loss": total, **figures}


def evaluate(model, dataset, *, losses, metrics):
    """`score` of `predict`: loss and metrics of a model on a dataset."""
    return score(*predict(model, dataset), losses=losses, metrics=metrics)


def _joined(batches):
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
