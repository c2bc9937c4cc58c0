"""Embeddings of length 1, with the scale and the bias of their similarity."""

import math
from typing import Any

import keras
from keras import ops

_SMALLEST = 1e-12  # of a squared length


@keras.saving.register_keras_serializable(package="mbm_keras.layers.unit_embeddings")
class UnitEmbeddings(keras.layers.Layer):
    """Embeddings of length 1, and what makes a logit of the product of two.

        logit_ij = exp(t) x_i . x_j + b

    `t` and `b` are learned. They are the last two columns of every embedding, since a
    loss sees nothing but outputs; `unpack` takes them apart. `exp(t)` is at most 100
    after each step of the optimizer.

    Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.5; the bias
    is that of Zhai et al. 2023, https://arxiv.org/abs/2303.15343, section 3.2.
    Deviation: none.

    Args:
        scale: float > 0, `exp(t)` at the start.
        bias: float, `b` at the start; None for 0 that is not learned.

    Call arguments:
        x: `(batch, n, width)` float.

    Returns:
        `(batch, n, width + 2)` float32. An embedding of zeros, that of an absent
        input, stays zeros.
    """

    def __init__(self, scale: float = 1 / 0.07, bias: float | None = None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.scale, self.bias = scale, bias

    def build(self, shape: Any) -> None:
        start = keras.initializers.Constant
        self.log_scale = self.add_weight(
            (), start(math.log(self.scale)), constraint=AtMost(), name="log_scale"
        )
        self.offset = None
        if self.bias is not None:
            self.offset = self.add_weight((), start(self.bias), name="bias")

    def call(self, x):
        x = to_unit_length(ops.cast(x, "float32"))
        ones = ops.ones_like(x[..., :1])
        t = ones * ops.convert_to_tensor(self.log_scale)
        b = 0.0 * ones
        if self.offset is not None:
            b = ones * ops.convert_to_tensor(self.offset)
        return ops.concatenate([x, t, b], axis=-1)

    def values(self) -> dict[str, float]:
        """`scale` and `bias`, as they were learned."""
        bias = 0.0 if self.offset is None else float(self.offset)
        return {"scale": math.exp(float(self.log_scale)), "bias": bias}

    def compute_output_spec(self, x):
        return keras.KerasTensor((*x.shape[:-1], x.shape[-1] + 2), "float32")

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "bias": self.bias}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.unit_embeddings")
class TakeEmbedding(keras.layers.Layer):
    """One embedding of those that `UnitEmbeddings` returned.

    Args:
        index: int, which of them.

    Call arguments:
        packed: `(batch, n, width + 2)`.

    Returns:
        `(batch, width)`.
    """

    def __init__(self, index: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.index = index

    def call(self, packed):
        return packed[:, self.index, :-2]

    def get_config(self):
        return {**super().get_config(), "index": self.index}


def to_unit_length(x: Any) -> Any:
    """Divides vectors by their length; zeros stay zeros, and have a gradient.

    Args:
        x: `(..., width)` float.
    """
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared, _SMALLEST))


def unpack(packed: Any) -> tuple[Any, Any, Any]:
    """What `UnitEmbeddings` returned, taken apart.

    Args:
        packed: `(batch, n, width + 2)` float32, with one row or more.

    Returns:
        The embeddings `(batch, n, width)`, and the scale and the bias, scalars.
    """
    return packed[..., :-2], ops.exp(packed[0, 0, -2]), packed[0, 0, -1]


@keras.saving.register_keras_serializable(package="mbm_keras.layers.unit_embeddings")
class AtMost(keras.constraints.Constraint):
    """Keeps the logarithm of a scale below that of a limit.

    Args:
        limit: float > 0.
    """

    def __init__(self, limit: float = 100.0):
        self.limit = limit

    def __call__(self, w):
        return ops.minimum(w, math.log(self.limit))

    def get_config(self):
        return {"limit": self.limit}
