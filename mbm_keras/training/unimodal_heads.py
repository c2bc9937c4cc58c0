"""Training a model whose towers have a head each, next to the head of the fusion."""

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.inputs import input_keys
from mbm_keras.inputs import unimodal_output_name
from mbm_keras.tasks import Task
from mbm_keras.tasks.task import check_logits
from mbm_keras.training.gradient_scales import GradientScales
from mbm_keras.training.heads import add_heads


def for_unimodal_heads(model: keras.Model, batches: Any, *, task: Task) -> Any:
    """Adds targets and weights for a model with `Balance(unimodal_heads=True)`.

    The head of a tower learns only from the rows that have its input.

    Args:
        model: The model.
        batches: A `tf.data.Dataset` of `(inputs, targets)`, both by name, with
            `present` `(batch, n)` among the inputs.
        task: The task.

    Returns:
        A dataset of `(inputs, targets, weights)`. Targets and weights are by output:
        `task.name`, and `mbm_keras.inputs.unimodal_output_name` for every input.
    """
    add_targets = add_heads(model, task)

    def add(inputs, targets):
        return add_targets(*task.feed(inputs, targets))

    return batches.map(add)


@keras.saving.register_keras_serializable(package="mbm_keras.training.unimodal_heads")
class TrueClassProbability(keras.metrics.Mean):
    """The mean probability that logits give to the true class.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, name: str = "probability", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: classes `(batch,)` and logits `(batch, num_classes)`."""
        probabilities = ops.softmax(ops.cast(y_pred, "float32"), axis=-1)
        y_true = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        true = ops.take_along_axis(probabilities, y_true, axis=1)[:, 0]  # (batch,)
        super().update_state(true, sample_weight=sample_weight)


class GradientModulation(keras.callbacks.Callback):
    """Slows the tower that is ahead, so that the others can catch up (OGM).

        s_i   = mean probability that the head of tower i gives to the true class
        rho_i = s_i / mean of the other s_j
        k_i   = 1 - tanh(alpha relu(rho_i)) where rho_i > 1, else 1

    The gradient of tower i is multiplied by `k_i`.

    Source: Peng et al. 2022, "Balanced Multimodal Learning via On-the-fly Gradient
    Modulation", https://arxiv.org/abs/2203.15332, section 3.2. Deviations: each tower
    has a head of its own, and not a part of one head; `s_i` is the mean over the steps
    of the epoch so far, and holds for the next step; any number of modalities. The
    noise in the gradients, the paper's "GE", is `gradient_noise`.

    Args:
        task: The task, a classification.
        alpha: Strength; 0.1 to 0.8 in the paper.
        metric: Name of the `TrueClassProbability` that every head is compiled with.

    Raises:
        ValueError: If the task has an activation; when training begins, if the model
            was not built with `Balance(unimodal_heads=True)`; after the first step, if
            a head has no such metric.
    """

    def __init__(self, *, task: Task, alpha: float = 0.5, metric: str = "probability"):
        super().__init__()
        check_logits(task)
        self.task = task
        self.alpha = alpha
        self.metric = metric
        self._keys: list[str] = []
        self._gradients: Any = None  # made when training begins

    def on_train_begin(self, logs: Any = None) -> None:
        self._keys = input_keys(self.model)
        self._gradients = GradientScales(
            self.model, self._keys, "balance=Balance(unimodal_heads=True)"
        )

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        logs = logs or {}
        names = [
            f"{unimodal_output_name(key, self.task.name)}_{self.metric}"
            for key in self._keys
        ]
        missing = [name for name in names if name not in logs]
        if missing:
            raise ValueError(
                "Expected every head to be compiled with "
                f"`TrueClassProbability(name={self.metric!r})`. Received: no "
                f"{missing} in {sorted(logs)}."
            )
        self._gradients.set(self.scales([logs[name] for name in names]))

    def on_train_end(self, logs: Any = None) -> None:
        self._gradients.reset()

    def scales(self, probabilities: Sequence[float]) -> list[float]:
        """Computes `k_i` from the mean probabilities `s_i`, in the order of inputs."""
        scales = []
        for i, own in enumerate(probabilities):
            others = [s for j, s in enumerate(probabilities) if j != i]
            mean = sum(others) / max(1, len(others))
            ratio = own / mean if others and mean > 0 else 1.0
            scales.append(1.0 - math.tanh(self.alpha * ratio) if ratio > 1 else 1.0)
        return scales
