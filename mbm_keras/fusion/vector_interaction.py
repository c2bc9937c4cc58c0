"""Multiplicative interactions by a vector that the other inputs make."""

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.modulate import modulated
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.vector_interaction")
class VectorInteraction(keras.layers.Layer):
    """Every further input scales and shifts what those before it have made.

        h_1 = W_1 x_1 + b_1
        h_i = (1 + x_i W_i + v_i) * h_(i-1) + x_i U_i + b_i
        out = h_n

    An absent input changes nothing.

    Source: Jayakumar et al. 2020, "Multiplicative Interactions and Where to Find Them",
    https://openreview.net/forum?id=rylnK6VtDH, section 3. Deviations: the scale is
    counted from 1; the first input is brought to the width of the output; any number
    of inputs.

    Args:
        units: Width of the fused embedding.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.first = dense(self, shapes[0][-1], self.units)
        self.scales = dense_each(self, shapes[1:], self.units)
        self.shifts = dense_each(self, shapes[1:], self.units)

    def call(self, embeddings, present=None):
        first, *rest = embeddings
        (h,) = zero_absent([self.first(first)], present)
        others = None if present is None else present[:, 1:]
        return modulated(h, rest, self.scales, self.shifts, others)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
