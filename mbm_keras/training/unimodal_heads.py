"""Training a model whose towers have heads of their own beside the common one."""

import math

import keras
from keras import ops

from mbm_keras.training.gradient_scales import GradientScales


def for_unimodal_heads(batches, names, output):
    """Targets and weights for a model with `Balance(unimodal_heads=True)`.

    The head of a tower learns from the rows that have its input alone.

    Args:
        batches: A `tf.data.Dataset` of `(inputs, targets)`, both by name, with
            `present` `(batch, n)` among the inputs.
        names: Names of the inputs in the order of `present`.
        output: Name of the target, and of the common output.

    Returns:
        A dataset of `(inputs, targets, weights)`, the last two by output: `output` and
        `<name>_<output>` for every input.
    """

    def more(inputs, targets):
        target, present = targets[output], inputs["present"]
        targets = {output: target}
        weights = {output: ops.ones_like(present[:, 0], dtype="float32")}
        for i, name in enumerate(names):
            targets[f"{name}_{output}"] = target
            weights[f"{name}_{output}"] = ops.cast(present[:, i], "float32")
        return inputs, targets, weights

    return batches.map(more)


@keras.saving.register_keras_serializable(package="mbm_keras")
class TrueClassProbability(keras.metrics.Mean):
    """The mean probability that logits give to the right class.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, name="probability", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        said = ops.softmax(ops.cast(y_pred, "float32"), axis=-1)
        y_true = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        right = ops.take_along_axis(said, y_true, axis=1)[:, 0]
        super().update_state(right, sample_weight=sample_weight)


class GradientModulation(keras.callbacks.Callback):
    """Slows the tower that is ahead down, so that the others can follow (OGM).

        s_i   = mean probability that the head of tower i gives to the right class
        rho_i = s_i / mean of the other s_j
        k_i   = 1 - tanh(alpha relu(rho_i)) where rho_i > 1, else 1

    The gradient of tower i is multiplied by `k_i`.

    Source: Peng et al. 2022, "Balanced Multimodal Learning via On-the-fly Gradient
    Modulation", https://arxiv.org/abs/2203.15332, section 3.2. Deviations: heads of
    their own for the halves of one; the figures are those of the steps so far in the
    epoch, and hold for the next; any number of modalities. The noise in the gradients,
    the paper's "GE", is `gradient_noise`.

    Args:
        names: Names of the inputs.
        output: Name of the common output.
        alpha: How strongly: 0.1 to 0.8 in the paper.
        metric: Name of the `TrueClassProbability` of every head.

    Raises:
        ValueError: When training begins, if the model was not built with
            `Balance(unimodal_heads=True)`.
    """

    def __init__(self, names, output="label", alpha=0.5, metric="probability"):
        super().__init__()
        self.names = list(names)
        self.output = output
        self.alpha = alpha
        self.metric = metric
        self._towers = None

    def on_train_begin(self, logs=None):
        self._towers = GradientScales(
            self.model, self.names, "balance=Balance(unimodal_heads=True)"
        )

    def on_train_batch_end(self, batch, logs=None):
        said = [(logs or {}).get(self._key(name)) for name in self.names]
        if None in said:
            raise ValueError(
                f"Compile the heads with `TrueClassProbability(name={self.metric!r})`. "
                f"The figures are {sorted(logs or {})}."
            )
        self._towers.set(self.scales(said))

    def on_train_end(self, logs=None):
        self._towers.reset()

    def scales(self, said):
        """`k_i` of the mean probabilities `s_i`, in order."""
        scales = []
        for i, own in enumerate(said):
            others = [s for j, s in enumerate(said) if j != i]
            mean = sum(others) / max(1, len(others))
            ahead = own / mean if others and mean > 0 else 1.0
            slowed = 1.0 - math.tanh(self.alpha * ahead)
            scales.append(slowed if ahead > 1 else 1.0)
        return scales

    def _key(self, name):
        return f"{name}_{self.output}_{self.metric}"
