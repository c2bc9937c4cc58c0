"""Adaptive gradient modulation: towers held back by what they contribute."""

import itertools
import math

import keras
import numpy as np

from mbm_keras.training.gradient_scales import GradientScales


class AdaptiveGradientModulation(keras.callbacks.Callback):
    """Slows a tower that is further ahead than it used to be, for any fusion (AGM).

        phi_i = sum over subsets S without i of |S|! (n - |S| - 1)! / n!
                * (f(S and i) - f(S))           the Shapley value of i in the logits
        s_i   = mean of log softmax(phi_i)[y]
        r_i   = exp(s_i - mean of the other s_j),   t_i the same of the means so far
        k_i   = exp(alpha * min(t_i - r_i, 10))

    where f(S) are the logits with the inputs S alone present, f of none is 0. The
    gradient of tower i is multiplied by `k_i` through its layer `<name>_gradient`.

    Source: Li et al. 2023, "Boosting Multi-modal Model Performance with Adaptive
    Gradient Modulation", https://arxiv.org/abs/2308.07686, section 3.2. Deviations:
    absence stands for an input of zeros; `s_i` is taken every `every` steps on one
    batch of `dataset` in turn, and holds until the next, for `2 ** n - 1` passes of a
    batch cost more than a step.

    Args:
        dataset: Batches of `(inputs, targets)`, both by name, everything present.
        names: Names of the inputs in the order of `present`.
        output: Name of the output, logits of classes.
        alpha: How strongly; 0.2 to 3 in the paper.
        every: Steps between two measurements.

    Raises:
        ValueError: When training begins, if the model was not built with
            `balance=Balance()`, or takes no `present`.
    """

    def __init__(self, dataset, names, output="label", alpha=1.0, every=20):
        super().__init__()
        self.dataset = dataset
        self.names = list(names)
        self.output = output
        self.alpha = alpha
        self.every = every
        self._batches = self._towers = None
        self._seen, self._mean = 0, np.zeros(len(self.names))

    def on_train_begin(self, logs=None):
        self._towers = GradientScales(self.model, self.names, "balance=Balance()")
        taken = [x.name for x in self.model.inputs]
        if "present" not in taken:
            raise ValueError(
                "Contributions are measured by taking inputs away: build the model "
                f"with `presence=True`. Its inputs are {taken}."
            )
        self._batches = itertools.cycle(self.dataset)

    def on_train_batch_end(self, batch, logs=None):
        if batch % self.every:
            return
        self._towers.settle()  # the scores are those of the weights as they are
        self._towers.set(self.scales(self.scores(*next(self._batches))))

    def on_train_end(self, logs=None):
        self._towers.reset()

    def scores(self, inputs, targets):
        """`s_i` on a batch, in order."""
        n = len(self.names)
        x = {t.name: np.asarray(inputs[t.name]) for t in self.model.inputs}
        truth = np.asarray(targets[self.output]).reshape(-1)
        logits = {(): 0.0}
        for size in range(1, n + 1):
            for chosen in itertools.combinations(range(n), size):
                x["present"] = np.tile(np.isin(np.arange(n), chosen), (len(truth), 1))
                answer = self.model(x, training=False)[self.output]
                logits[chosen] = keras.ops.convert_to_numpy(answer).astype("float64")
        scores = []
        for i in range(n):
            phi = 0.0
            for chosen, without in logits.items():
                if i not in chosen:
                    size = len(chosen)
                    ways = math.factorial(size) * math.factorial(n - size - 1)
                    added = logits[tuple(sorted((*chosen, i)))] - without
                    phi = phi + ways / math.factorial(n) * added
            phi = phi - phi.max(axis=1, keepdims=True)
            log_p = phi - np.log(np.exp(phi).sum(axis=1, keepdims=True))
            scores.append(float(log_p[np.arange(len(truth)), truth].mean()))
        return scores

    def scales(self, scores):
        """`k_i` of the scores `s_i`, in order; the running means follow."""
        scores = np.array(scores)
        ratio, usual = self._ahead(scores), self._ahead(self._mean)
        self._seen += 1
        self._mean += (scores - self._mean) / self._seen
        return np.exp(self.alpha * np.minimum(usual - ratio, 10.0)).tolist()

    def _ahead(self, scores):
        if len(scores) == 1:
            return np.ones(1)
        others = (scores.sum() - scores) / (len(scores) - 1)
        return np.exp(scores - others)
