"""A vector for each number of a table, missing numbers included."""

import statistics
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

_RANGE = 3.0  # standard deviations; of a normal number 0.3 % are further away


def normal_edges(num_bins: int) -> tuple[float, ...]:
    """Edges of bins that hold the same share of normally distributed numbers.

    `mbm_keras.preprocessing.Number` gives numbers of about that distribution, whatever
    theirs was: so these are the quantiles of the training split.

    Args:
        num_bins: int >= 0, number of bins.

    Returns:
        `num_bins + 1` numbers, the first and the last at -3 and 3; none for no bins.
    """
    if num_bins < 1:
        return ()
    normal = statistics.NormalDist()
    inner = (normal.inv_cdf(i / num_bins) for i in range(1, num_bins))
    return (-_RANGE, *inner, _RANGE)


@keras.saving.register_keras_serializable(package="mbm_keras.layers.number_embedding")
class NumberEmbedding(keras.layers.Layer):
    """Embeds each number by weights of its own.

        e_j = x_j w_j + b_j + V_j p(x_j)     if number j is present, else m_j
        p(x)_t = (x - c_{t-1}) / (c_t - c_{t-1}), in [0, 1], below 0 in the first bin
                 and above 1 in the last one

    `c` are the edges of the bins. `V` begins at zero: the embedding is linear at first,
    and learns to bend at the edges. Without edges it is linear, that of the
    FT-Transformer.

    Source: Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep
    Learning", https://arxiv.org/abs/2203.05556, section 3.2, in the form of Gorishniy
    et al. 2024, "TabM", https://arxiv.org/abs/2410.24210, whose code is
    `PiecewiseLinearEmbeddings(version="B", activation=False)`. Deviation: all numbers
    have the same edges, since their scale is that of quantiles; a missing number has a
    vector of its own.

    Args:
        units: int > 0, width of an embedding.
        edges: floats, edges of the bins in order, two or more; empty for none.

    Call arguments:
        x: `(batch, numbers)`, float.
        flags: `(batch, numbers)`, float, 1 where a number is present and 0 where not.

    Returns:
        `(batch, numbers, units)`, float.

    Raises:
        ValueError: If there is one edge alone, or they do not increase.
    """

    def __init__(self, units: int, edges: Sequence[float] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.edges = tuple(float(edge) for edge in edges)
        pairs = zip(self.edges, self.edges[1:], strict=False)
        if len(self.edges) == 1 or any(low >= high for low, high in pairs):
            raise ValueError(
                "Expected no edges, or two or more that increase. "
                f"Received: edges={self.edges}."
            )

    def build(self, x_shape, flags_shape):
        numbers = x_shape[-1]
        bound = self.units**-0.5
        uniform = keras.initializers.RandomUniform(-bound, bound)
        size = (numbers, self.units)
        self.kernel = self.add_weight(size, uniform, name="kernel")
        self.bias = self.add_weight(size, uniform, name="bias")
        self.missing = self.add_weight(size, uniform, name="missing")
        if self.edges:
            bins = len(self.edges) - 1
            size = (numbers, bins, self.units)
            self.pieces = self.add_weight(size, "zeros", name="pieces")

    def call(self, x, flags):
        y = x[:, :, None] * self.kernel + self.bias  # (batch, numbers, units)
        if self.edges:
            y += ops.einsum("bnt,ntu->bnu", self.encode(x), self.pieces)
        flags = flags[:, :, None]
        return flags * y + (1 - flags) * self.missing

    def encode(self, x):
        """The piecewise-linear encoding `(batch, numbers, bins)` of numbers."""
        low = ops.convert_to_tensor(self.edges[:-1], dtype=x.dtype)
        high = ops.convert_to_tensor(self.edges[1:], dtype=x.dtype)
        p = (x[:, :, None] - low) / (high - low)
        inside = ops.clip(p, 0.0, 1.0)
        if p.shape[-1] == 1:
            return p
        first = ops.minimum(p[:, :, :1], 1.0)
        last = ops.maximum(p[:, :, -1:], 0.0)
        return ops.concatenate([first, inside[:, :, 1:-1], last], axis=-1)

    def compute_output_shape(self, x_shape, flags_shape):
        return (*x_shape, self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "edges": self.edges}
