"""Cross-entropy for classes of different frequency: class weights, and focal loss."""

from typing import Any

import keras
import numpy as np
from keras import ops

_POWERS = np.linspace(0.0, 1.0, 101)


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.weighted_losses")
class WeightedLoss(keras.losses.Loss):
    """A loss with weights by class and a focus; its subclasses have the equations.

    Args:
        class_weights: As the subclass has them; empty for equal weights.
        gamma: Strength of the focus, 0 for none.
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.
    """

    def __init__(
        self,
        class_weights: Any = (),
        gamma: float = 0.0,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        # Pairs come back from a file as lists.
        self.class_weights = tuple(
            tuple(x) if isinstance(x, (list, tuple)) else x for x in class_weights
        )
        self.gamma = gamma

    def focus(self, log):
        """`-(1 - p)^gamma log p` of logarithms of probabilities, of the same shape."""
        return -log * ops.power(1.0 - ops.exp(log), self.gamma) if self.gamma else -log

    def get_config(self):
        config = {"class_weights": self.class_weights, "gamma": self.gamma}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.weighted_losses")
class WeightedCrossentropy(WeightedLoss):
    """Cross-entropy of one label of several, with weights by class and a focus.

        loss = -w_y (1 - p_y)^gamma log p_y

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection",
    https://arxiv.org/abs/1708.02002, section 3, equation 5 with a weight for every
    class in place of alpha; the softmax of several classes as in
    `keras.losses.CategoricalFocalCrossentropy`. Deviation: none.

    Args:
        class_weights: Weight by class; empty for equal weights.
        gamma: Strength of the focus on rows that are predicted badly, 0 for none.
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.
    """

    def call(self, y_true, y_pred):
        """Ids `(batch,)` and logits `(batch, classes)` to losses `(batch,)`."""
        ids = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        logs = ops.log_softmax(y_pred, axis=-1)
        loss = self.focus(ops.take_along_axis(logs, ids, axis=1)[:, 0])  # (batch,)
        if self.class_weights:
            weights = ops.convert_to_tensor(self.class_weights, dtype=loss.dtype)
            loss *= ops.take(weights, ids[:, 0])
        return loss


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.weighted_losses")
class WeightedBinaryCrossentropy(WeightedLoss):
    """Cross-entropy of any number of labels, with weights by label and a focus.

        loss = mean over labels of -w (1 - p)^gamma log p

    where `p` is the probability of the right decision about a label.

    Source: as for `WeightedCrossentropy`; without weights it is
    `keras.losses.BinaryFocalCrossentropy`. Deviation: none.

    Args:
        class_weights: By label, the weights of its absence and of its presence; empty
            for equal weights.
        gamma: As for `WeightedCrossentropy`, and so are the others.
        name: Name of the loss.
        reduction: Over the rows.
        dtype: As for `keras.losses.Loss`.
    """

    def call(self, y_true, y_pred):
        """0 or 1 and logits, `(batch, labels)`, to losses `(batch,)`."""
        truth = ops.cast(y_true, y_pred.dtype)
        log = ops.log_sigmoid((2.0 * truth - 1.0) * y_pred)  # (batch, labels)
        loss = self.focus(log)
        if self.class_weights:
            weights = ops.convert_to_tensor(self.class_weights, dtype=loss.dtype)
            loss *= weights[:, 0] + truth * (weights[:, 1] - weights[:, 0])
        return ops.mean(loss, axis=-1)


def balanced_weights(counts: Any) -> np.ndarray:
    """Weights that give classes the same sum, and rows the mean 1.

    Source: `class_weight="balanced"` of scikit-learn, `rows / (classes * count)`.

    Args:
        counts: `(..., classes)`, number of rows by class.

    Returns:
        `(..., classes)` float64; 1 for a class without rows.
    """
    counts = np.asarray(counts, "float64")
    rows = counts.sum(axis=-1, keepdims=True)
    known = (counts > 0).sum(axis=-1, keepdims=True)
    weights = rows / (known * np.maximum(counts, 1e-9))
    return np.where(counts > 0, weights, 1.0)


def constant_loss(shares: Any, weights: Any, gamma: float) -> float:
    """The loss of the best constant probabilities, among powers of the weighted shares.

    Without a focus the shares themselves are the best.

    Args:
        shares: `(..., classes)`, share of the rows by class.
        weights: `(..., classes)`, weight by class.
        gamma: The focus.

    Returns:
        The mean over `...`.
    """
    weighted = np.asarray(shares, "float64") * weights
    best: Any = np.inf
    for power in _POWERS if gamma else (1.0,):
        p = np.maximum(weighted, 1e-12) ** power
        p /= p.sum(axis=-1, keepdims=True)
        loss = -np.sum(weighted * (1 - p) ** gamma * np.log(p), axis=-1)
        best = np.minimum(best, loss)
    return float(np.mean(best))
