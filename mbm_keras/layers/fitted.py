"""Layers whose weights scikit-learn finds, and which answer as its estimators do.

They do not train by gradient descent: `mbm_keras.training.fit_heads` fits an estimator
and copies what it learned. So a model answers at least as well as a plain pipeline, in
the same graph, where neither scikit-learn nor Keras is installed.
"""

from typing import Any
from typing import Literal

import keras
import numpy as np
from keras import ops

LARGEST = 4.0  # of a standardized number: a row unlike all others says no more
SMALLEST = 1e-3  # probability that a forest gives
STEPS = 1_024  # of a standardized number, within 1
_MOST_STEPS = 2.0**30  # a threshold of infinity, and above all numbers


@keras.saving.register_keras_serializable(package="mbm_keras.layers.fitted")
class FittedLinear(keras.layers.Layer):
    """A linear model of standardized numbers.

        y = W clip((x - mean) / spread) + b

    Args:
        units: int > 0, number of answers.
        most_values: int > 0. Of more numbers than these their main directions are
            fitted instead.

    Call arguments:
        x: `(batch, n)`, float.

    Returns:
        `(batch, units)` float32; zeros before the weights are set.
    """

    def __init__(self, units: int, most_values: int = 512, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.units = units
        self.most_values = most_values

    def build(self, shape: Any) -> None:
        self.mean = _weight(self, "mean", (shape[-1],))
        self.spread = _weight(self, "spread", (shape[-1],), "ones")
        self.kernel = _weight(self, "kernel", (shape[-1], self.units))
        self.bias = _weight(self, "bias", (self.units,))

    def call(self, x: Any) -> Any:
        return ops.matmul(self.standardize(x), self.kernel) + self.bias

    def standardize(self, x: Any) -> Any:
        """The numbers that the kernel is multiplied with, `(batch, n)`."""
        x = (ops.cast(x, "float32") - self.mean) / self.spread
        return ops.clip(x, -LARGEST, LARGEST)

    def compute_output_shape(self, shape):
        return (shape[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "most_values": self.most_values,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.layers.fitted")
class FittedGrams(keras.layers.Layer):
    """A linear model of the weighted grams of a text.

    Args:
        units: int > 0, number of answers.
        num_grams: int > 0, number of gram ids, padding id 0 included.
        sequence_length: int > 0, number of word ids before the grams.

    Call arguments:
        codes: `(batch, sequence_length + grams)` int32, as for
            `mbm_keras.towers.text_wide_deep`.

    Returns:
        `(batch, units)` float32; zeros before the weights are set.
    """

    def __init__(self, units: int, num_grams: int, sequence_length: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.units = units
        self.num_grams = num_grams
        self.sequence_length = sequence_length

    def build(self, shape: Any) -> None:
        self.kernel = _weight(self, "kernel", (self.num_grams, self.units))
        self.bias = _weight(self, "bias", (self.units,))

    def call(self, codes: Any) -> Any:
        codes = ops.cast(codes, "int32")[:, self.sequence_length :]
        weights = ops.normalize(ops.cast(codes // self.num_grams, "float32"))
        rows = ops.take(self.kernel, codes % self.num_grams, axis=0)
        return ops.einsum("bg,bgu->bu", weights, rows) + self.bias

    def compute_output_shape(self, shape):
        return (shape[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_grams": self.num_grams,
            "sequence_length": self.sequence_length,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.layers.fitted")
class FittedTrees(keras.layers.Layer):
    """A sum of decision trees.

    Each tree has room for `nodes` nodes. A row goes to the left child of a node if the
    number of a column is not above a threshold, else to the right one, which is the
    next node. A leaf leads to itself.

    Args:
        units: int > 0, number of answers.
        trees: int > 0, the most trees.
        nodes: int > 0, the most nodes of a tree.
        depth: int > 0, the most steps from the root to a leaf.
        scale: What the sum is: `"answer"`; or `"probability"` of labels that exclude
            each other, or `"share"` of labels that do not, which become logits.

    Call arguments:
        x: `(batch, columns)`, float.

    Returns:
        `(batch, units)` float32; equal answers before the weights are set.
    """

    def __init__(
        self,
        units: int,
        trees: int,
        nodes: int,
        depth: int,
        scale: Literal["answer", "probability", "share"] = "answer",
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.units = units
        self.trees = trees
        self.nodes = nodes
        self.depth = depth
        self.scale = scale

    def build(self, shape: Any) -> None:
        size = self.trees * self.nodes
        # By node: its column, its threshold, its left child.
        self.node = _weight(self, "node", (size, 3))
        self.value = _weight(self, "value", (size, self.units))
        self.start = _weight(self, "start", (self.units,))
        self.columns = shape[-1]

    def call(self, x: Any) -> Any:
        numbers = ops.reshape(self.round(x) * STEPS, (-1,))
        numbers = _to_int(ops.clip(numbers, -_MOST_STEPS / 2, _MOST_STEPS / 2))
        # Thresholds are compared as whole steps, which changes no comparison: no number
        # is between two of them. A file with weights of 8 bits keeps integers as they
        # are.
        nodes = ops.floor(self.node * np.array([1, STEPS, 1], "float32"))
        nodes = _to_int(ops.clip(nodes, -_MOST_STEPS, _MOST_STEPS))
        roots = np.arange(self.trees, dtype="int32")[None] * self.nodes
        row = ops.arange(ops.shape(x)[0], dtype="int32")[:, None] * self.columns

        def go_down(_, at):  # (batch, trees)
            node = ops.take(nodes, at, axis=0)  # (batch, trees, 3)
            number = ops.take(numbers, row + node[..., 0])
            return roots + node[..., 2] + _to_int(number > node[..., 1])

        at = ops.fori_loop(0, self.depth, go_down, roots + ops.zeros_like(row))
        y = self.start + ops.sum(ops.take(self.value, at, axis=0), axis=1)
        if self.scale == "answer":
            return y
        y = ops.clip(y, SMALLEST, 1 - SMALLEST)
        return ops.log(y) - (ops.log(1 - y) if self.scale == "share" else 0.0)

    def round(self, x: Any) -> Any:
        """The numbers that are compared with thresholds, in steps.

        Two graphs differ in the last digits of a number, which must not be on another
        side of a threshold for that.
        """
        return ops.round(ops.cast(x, "float32") * STEPS) / STEPS

    def compute_output_shape(self, shape):
        return (shape[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "trees": self.trees,
            "nodes": self.nodes,
            "depth": self.depth,
            "scale": self.scale,
        }


def _weight(layer, name, shape, initializer="zeros", dtype=None):
    return layer.add_weight(shape, initializer, dtype, trainable=False, name=name)


def _to_int(x):
    return ops.cast(x, "int32")
