"""Concatenation of the embeddings, and one dense layer."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.concatenation")
class ConcatenationFusion(keras.layers.Layer):
    """Concatenates the embeddings and applies a dense layer.

        out = relu(W [p_1 x_1, ..., p_n x_n, p] + b)

    with `p_i` 1 if input `i` is present, else 0. An absent embedding is zeros; the
    flags `p` distinguish it from a present embedding of zeros.

    Source: Ngiam et al. 2011, "Multimodal Deep Learning",
    https://icml.cc/2011/papers/399_icmlpaper.pdf, section 3 (a layer over the
    concatenated representations). Deviations: the flags; ReLU instead of an RBM.

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
        width = sum(shape[-1] for shape in shapes) + len(shapes)
        self.mix = dense(self, width, self.units, "relu")

    def call(self, embeddings, present=None):
        kept = zero_absent(embeddings, present)
        if present is None:
            flags = ops.ones_like(ops.stack([x[:, 0] for x in kept], axis=1))
        else:
            flags = ops.cast(present, kept[0].dtype)  # (batch, n)
        return self.mix(ops.concatenate([*kept, flags], axis=-1))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
