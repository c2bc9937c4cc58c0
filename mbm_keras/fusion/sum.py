"""Sum of the embeddings."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.sum")
class SumFusion(keras.layers.Layer):
    """Sums the embeddings, after a dense layer for each.

        out = sum_i p_i (W_i x_i + b_i)
        out = sum_i p_i x_i                     if `project` is False

    with `p_i` 1 if input `i` is present, else 0.

    Source: Atrey et al. 2010, "Multimodal fusion for multimedia analysis",
    https://doi.org/10.1007/s00530-010-0182-0, section 3.1 (linear weighted
    fusion). Deviation: learned matrices instead of scalar weights.

    Args:
        units: int > 0, width of the fused embedding.
        project: bool. False to sum the embeddings as they are, `units` wide each.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings, or one has another
            width than `units` and is not projected.
    """

    takes_sequences = False

    def __init__(self, units: int, project: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.project = project

    def build(self, shapes):
        check_embeddings(self, shapes)
        widths = [shape[-1] for shape in shapes]
        if not self.project and set(widths) != {self.units}:
            raise ValueError(
                "Expected embeddings as wide as `units`, or project=True. "
                f"Received: units={self.units}, widths={widths}."
            )
        self.values = dense_each(self, shapes, self.units) if self.project else None

    def call(self, embeddings, present=None):
        values = embeddings
        if self.values is not None:
            values = [v(x) for v, x in zip(self.values, values, strict=True)]
        values = ops.stack(zero_absent(values, present), axis=1)  # (batch, n, units)
        return ops.sum(values, axis=1)  # (batch, units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "project": self.project}
