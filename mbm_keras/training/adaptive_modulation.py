"""Adaptive gradient modulation: slows towers by what they contribute to the output."""

import itertools
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import input_keys
from mbm_keras.tasks import Task
from mbm_keras.tasks.task import check_logits
from mbm_keras.training.gradient_scales import GradientScales


class AdaptiveGradientModulation(keras.callbacks.Callback):
    """Slows a tower that is further ahead than before, for any fusion (AGM).

        phi_i = sum over subsets S without i of |S|! (n - |S| - 1)! / n!
                * (f(S and i) - f(S))           the Shapley value of i in the logits
        s_i   = mean of log softmax(phi_i)[y]
        r_i   = exp(s_i - mean of the other s_j)
        t_i   = the same of the means of s_i so far
        k_i   = exp(alpha * min(t_i - r_i, 10))

    n: number of inputs; f(S): logits if only the inputs S are present, 0 for the empty
    set; y: the class. The gradient of tower i is multiplied by `k_i`, in the layer
    `mbm_keras.inputs.gradient_name`.

    Source: Li et al. 2023, "Boosting Multi-modal Model Performance with Adaptive
    Gradient Modulation", https://arxiv.org/abs/2308.07686, section 3.2. Deviations:
    inputs are marked absent, and not replaced by zeros; `s_i` is computed every `every`
    steps on one batch of `dataset` in turn, and holds until the next time, since the
    `2 ** n - 1` passes of a batch cost more than a step.

    Args:
        dataset: Batches of `(inputs, targets)`, both by name, with every input present.
        task: The task, a classification.
        alpha: Strength; 0.2 to 3 in the paper.
        every: Steps between two computations.

    Raises:
        ValueError: If the task has an activation; when training begins, if the model
            was not built with `balance=Balance()`, or has no input `present`.
    """

    def __init__(
        self,
        dataset: Iterable[Any],
        *,
        task: Task,
        alpha: float = 1.0,
        every: int = 20,
    ):
        super().__init__()
        check_logits(task)
        self.dataset = dataset
        self.task = task
        self.alpha = alpha
        self.every = every
        # Made when training begins.
        self._batches: Any = None
        self._gradients: Any = None
        self._num_scores = 0
        self._mean: Any = 0.0  # of the scores so far

    def on_train_begin(self, logs: Any = None) -> None:
        keys = input_keys(self.model)
        self._gradients = GradientScales(self.model, keys, "balance=Balance()")
        names = [x.name for x in self.model.inputs]
        if PRESENT not in names:
            raise ValueError(
                "Expected a model that was built with `presence=True`, since inputs "
                f"are marked absent to compute contributions. Received: inputs={names}."
            )
        self._batches = itertools.cycle(self.dataset)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % self.every:
            return
        self._gradients.sync()  # the scores are those of the current weights
        self._gradients.set(self.scales(self.scores(*next(self._batches))))

    def on_train_end(self, logs: Any = None) -> None:
        self._gradients.reset()

    def scores(
        self, inputs: Mapping[str, Any], targets: Mapping[str, Any]
    ) -> list[float]:
        """Computes `s_i` on a batch.

        Args:
            inputs: Arrays by name of the input, `(batch, ...)`.
            targets: Arrays by name of the target, `(batch,)`.

        Returns:
            A score for each input, in the order of `present`.
        """
        n = len(input_keys(self.model))
        x = {t.name: np.asarray(inputs[t.name]) for t in self.model.inputs}
        classes = np.asarray(targets[self.task.name]).reshape(-1)
        rows = np.arange(len(classes))
        logits: dict[tuple[int, ...], Any] = {(): 0.0}
        for size in range(1, n + 1):
            for subset in itertools.combinations(range(n), size):
                x[PRESENT] = np.tile(np.isin(np.arange(n), subset), (len(rows), 1))
                output = self.model(x, training=False)[self.task.name]
                logits[subset] = keras.ops.convert_to_numpy(output).astype("float64")
        scores = []
        for i in range(n):
            phi: Any = 0.0
            for subset, without in logits.items():
                if i not in subset:
                    size = len(subset)
                    orders = math.factorial(size) * math.factorial(n - size - 1)
                    gain = logits[tuple(sorted((*subset, i)))] - without
                    phi = phi + orders / math.factorial(n) * gain
            phi = phi - phi.max(axis=1, keepdims=True)
            log_p = phi - np.log(np.exp(phi).sum(axis=1, keepdims=True))
            scores.append(float(log_p[rows, classes].mean()))
        return scores

    def scales(self, scores: Sequence[float]) -> list[float]:
        """Computes `k_i` from the scores `s_i`, and updates the means of the scores."""
        values = np.array(scores)
        ratio, usual = self._ratio(values), self._ratio(self._mean + 0.0 * values)
        self._num_scores += 1
        self._mean += (values - self._mean) / self._num_scores
        return np.exp(self.alpha * np.minimum(usual - ratio, 10.0)).tolist()

    def _ratio(self, scores):
        if len(scores) == 1:
            return np.ones(1)
        others = (scores.sum() - scores) / (len(scores) - 1)
        return np.exp(scores - others)
