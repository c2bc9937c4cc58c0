"""Tucker fusion: a full core tensor between small spaces."""

from typing import Any

import keras

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.outer import outer
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.tucker")
class TuckerFusion(keras.layers.Layer):
    """Multiplies every unit of each modality with every unit of the others.

        x~_i = W_i x_i + b_i
        z    = T(x~_1, ..., x~_n) + t       T a tensor of inner^(n+1) weights
        out  = W z + b

    An absent `x~_i` is ones: the core is then summed along its axis.

    Source: Tucker 1966, "Some mathematical notes on three-mode factor analysis",
    https://doi.org/10.1007/BF02289464; as a fusion Ben-younes et al. 2017,
    https://arxiv.org/abs/1705.06676, section 3.1. Deviation: any number of inputs.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `x~_i` and `z`.

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

    def __init__(self, units: int, inner: int = 16, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner

    def build(self, shapes):
        check_embeddings(self, shapes)
        size = self.inner ** (len(shapes) + 1)
        check_size(self, size, f"inner={self.inner}, num_inputs={len(shapes)}")
        self.values = dense_each(self, shapes, self.inner, multiplies=True)
        self.core = dense(self, self.inner ** len(shapes), self.inner, multiplies=True)
        self.mix = dense(self, self.inner, self.units, multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        z = self.core(outer(ones_for_absent(values, present)))  # (batch, inner)
        return cast_down(self, self.mix(z))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "inner": self.inner}
