"""Multiplicative interaction by a matrix computed from the other inputs."""

import math
from typing import Any

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.outer import outer
from mbm_keras.fusion.outer import prepend_one
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.matrix_interaction")
class MatrixInteraction(keras.layers.Layer):
    """Each input determines the matrix that maps the next one.

        out = x_1' W x_2 + x_1 U + x_2 V + b

    and for three inputs, with `A` and `b` of that form over the first two,

        out = A(x_1, x_2) x_3 + b(x_1, x_2)

    which is one linear map of all products of the inputs and of fewer of them. An
    absent input is zeros.

    Source: Jayakumar et al. 2020, "Multiplicative Interactions and Where to Find Them",
    https://openreview.net/forum?id=rylnK6VtDH, section 3; three inputs after Liang et
    al. 2021, "MultiBench", https://arxiv.org/abs/2107.07502. Deviation: a dense
    layer first reduces inputs wider than `inner` to that width.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, maximum width of an input; None for no maximum.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings, or a variable
            would have more than `MAX_WEIGHTS` weights.
    """

    takes_sequences = False

    def __init__(self, units: int, inner: int | None = 16, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.values, widths = [], []
        for *_, width in shapes:
            is_wide = self.inner is not None and width > self.inner
            self.values.append(
                dense(self, width, self.inner, multiplies=True) if is_wide else None
            )
            widths.append(self.inner if is_wide else width)
        size = math.prod(width + 1 for width in widths)
        check_size(self, size * self.units, f"inner={self.inner}, widths={widths}")
        # No bias: the product of no input is 1, and its row is the bias.
        self.map = dense(self, size, self.units, use_bias=False, multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        x = [
            x_i if value is None else value(x_i)
            for value, x_i in zip(self.values, embeddings, strict=True)
        ]
        return cast_down(self, self.map(outer(prepend_one(zero_absent(x, present)))))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
