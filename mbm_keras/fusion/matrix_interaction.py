"""Multiplicative interactions by a matrix that the other inputs make."""

import math

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.outer import outer
from mbm_keras.fusion.outer import with_one
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.matrix_interaction")
class MatrixInteraction(keras.layers.Layer):
    """Every input makes the matrix by which the next one is mapped.

        out = x_1' W x_2 + x_1 U + x_2 V + b

    and for three inputs, with `A` and `b` of that form over the first two,

        out = A(x_1, x_2) x_3 + b(x_1, x_2)

    which is every product of the inputs and of fewer of them, mapped by one matrix. An
    absent input is 0.

    Source: Jayakumar et al. 2020, "Multiplicative Interactions and Where to Find Them",
    https://openreview.net/forum?id=rylnK6VtDH, section 3; three inputs after Liang et
    al. 2021, "MultiBench", https://arxiv.org/abs/2107.07502. Deviation: inputs wider
    than `inner` are first brought to that width.

    Args:
        units: Width of the fused embedding.
        inner: The most that an input is wide; None to take them as they are.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings, or if `W` would
            be absurd.
    """

    takes_sequences = False

    def __init__(self, units, inner=16, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values, widths = [], []
        for *_, width in shapes:
            is_wide = self.inner is not None and width > self.inner
            self.values.append(dense(self, width, self.inner) if is_wide else None)
            widths.append(self.inner if is_wide else width)
        size = math.prod(width + 1 for width in widths)
        check_size(self, size * self.units, f"choose a smaller `inner` than {widths}")
        # The row of the product of no input is the bias.
        self.map = dense(self, size, self.units, use_bias=False)

    def call(self, embeddings, present=None):
        x = [
            x_i if value is None else value(x_i)
            for value, x_i in zip(self.values, embeddings, strict=True)
        ]
        return self.map(outer(with_one(zero_absent(x, present))))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
