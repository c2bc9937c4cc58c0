"""Any number of labels of several: logits, binary cross-entropy, F1."""

import keras


def head(x, num_classes, *, name="labels"):
    """Maps `(batch, width)` to logits `(batch, num_classes)` in float32."""
    return keras.layers.Dense(num_classes, dtype="float32", name=name)(x)


def losses(name="labels"):
    """Losses for `compile`; the target is 0 or 1 `(batch, num_classes)`."""
    return {name: keras.losses.BinaryCrossentropy(from_logits=True)}


def metrics(name="labels"):
    """Metrics for `compile`: the share of right yes and no, and the micro F1."""
    return {
        name: [
            keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy"),
            MicroF1(name="f1"),
        ]
    }


@keras.saving.register_keras_serializable(package="mbm_keras")
class MicroF1(keras.metrics.Metric):
    """F1 over all labels of all rows; a label is given where its logit is positive.

        F1 = 2 TP / (2 TP + FP + FN)

    Source: van Rijsbergen 1979, "Information Retrieval", chapter 7. Deviation:
    none. No label given and none right gives 0.
    """

    def __init__(self, name="f1", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_variable((), "zeros", name="hits")
        self.calls = self.add_variable((), "zeros", name="calls")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch: targets and logits `(batch, num_classes)`."""
        y_true = keras.ops.cast(y_true, "float32")
        given = keras.ops.cast(y_pred > 0, "float32")
        weight = 1.0
        if sample_weight is not None:
            weight = keras.ops.reshape(
                keras.ops.cast(sample_weight, "float32"), (-1, 1)
            )
        self.hits.assign_add(keras.ops.sum(2 * weight * y_true * given))
        self.calls.assign_add(keras.ops.sum(weight * (y_true + given)))

    def result(self):
        return self.hits / keras.ops.maximum(self.calls, 1e-7)
