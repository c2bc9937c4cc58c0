"""A dense layer whose kernel is constant, with a low-rank part that learns."""

from typing import Any
from typing import Self

import keras
from keras import layers
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.low_rank")
class LowRankDense(layers.Layer):
    """A dense layer that is adapted by a product of two small matrices.

        y = activation(x (W + scale a b) + bias)

    `W` and `bias` are constant from the beginning, so that nothing that sets
    `trainable` of a layer or of a model around it makes them learn, neither before nor
    after saving. `b` begins as zero, and with it the change.

    Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models",
    https://arxiv.org/abs/2106.09685, section 4.1. Deviation: no dropout.

    Args:
        units: int > 0, width of the output.
        rank: int > 0, columns of `a` and rows of `b`.
        scale: float > 0, alpha / rank of the paper.
        use_bias: bool. False for a layer without bias.
        activation: As for `keras.layers.Dense`.

    Call arguments:
        x: `(batch, ..., width)`, float.

    Returns:
        `(batch, ..., units)`, float.

    Raises:
        ValueError: If `rank` is below 1, or `scale` is not positive.
    """

    def __init__(
        self,
        units: int,
        rank: int,
        scale: float = 2.0,
        use_bias: bool = True,
        activation: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if rank < 1 or not scale > 0:
            raise ValueError(
                "Expected rank >= 1 and scale > 0. "
                f"Received: rank={rank}, scale={scale}."
            )
        self.units = units
        self.rank = rank
        self.scale = scale
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.supports_masking = True

    @classmethod
    def from_dense(cls, dense: layers.Dense, rank: int, scale: float = 2.0) -> Self:
        """The same function as a dense layer, with its name and copies of its weights.

        Args:
            dense: A built layer.
            rank: As for the class.
            scale: As for the class.
        """
        found = cls(
            dense.units,
            rank,
            scale,
            dense.use_bias,
            dense.activation,
            name=dense.name,
            dtype=dense.dtype_policy,
        )
        found.build((None, dense.kernel.shape[0]))
        found.kernel.assign(dense.kernel)
        if dense.use_bias:
            found.bias.assign(dense.bias)
        return found

    def build(self, shape):
        width = shape[-1]
        self.kernel = self.add_weight(
            (width, self.units), trainable=False, name="kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), "zeros", trainable=False, name="bias"
            )
        self.a = self.add_weight((width, self.rank), "he_uniform", name="a")
        self.b = self.add_weight((self.rank, self.units), "zeros", name="b")

    def call(self, x):
        y = ops.matmul(x, self.kernel)
        y = y + self.scale * ops.matmul(ops.matmul(x, self.a), self.b)
        if self.bias is not None:
            y = y + self.bias
        return self.activation(y)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)

    def merged_kernel(self) -> Any:
        """`W + scale a b`, `(width, units)`."""
        a, b = (ops.cast(x, self.kernel.dtype) for x in (self.a, self.b))
        return ops.add(self.kernel, self.scale * ops.matmul(a, b))

    def merge_into(self, dense: layers.Dense) -> None:
        """Gives a built dense layer of the same sizes the weights of the whole."""
        dense.kernel.assign(self.merged_kernel())
        if self.bias is not None:
            dense.bias.assign(self.bias)

    def to_dense(self) -> layers.Dense:
        """The same function as a plain dense layer with the same name."""
        dense = layers.Dense(
            self.units,
            self.activation,
            self.use_bias,
            name=self.name,
            dtype=self.dtype_policy,
        )
        dense.build((None, self.kernel.shape[0]))
        self.merge_into(dense)
        return dense

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "rank": self.rank,
            "scale": self.scale,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
        }
