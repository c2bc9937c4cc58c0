"""Multiplicative interaction by a vector computed from each other input."""

from typing import Any

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.modulate import modulate
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.vector_interaction")
class VectorInteraction(keras.layers.Layer):
    """Each further input scales and shifts the result of those before it.

        h_1 = W_1 x_1 + b_1
        h_i = (1 + x_i W_i + v_i) * h_(i-1) + x_i U_i + b_i
        out = h_n

    An absent input changes nothing.

    Source: Jayakumar et al. 2020, "Multiplicative Interactions and Where to Find Them",
    https://openreview.net/forum?id=rylnK6VtDH, section 3. Deviations: the scale is
    1 plus a linear map; a dense layer maps the first input to `units`; any number of
    inputs.

    Args:
        units: int > 0, width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.first = dense(self, shapes[0][-1], self.units, multiplies=True)
        self.scales = dense_each(self, shapes[1:], self.units, multiplies=True)
        self.shifts = dense_each(self, shapes[1:], self.units, multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        first, *rest = embeddings
        (h,) = zero_absent([self.first(first)], present)
        others = None if present is None else present[:, 1:]
        h = modulate(h, rest, self.scales, self.shifts, others)
        return cast_down(self, h)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
