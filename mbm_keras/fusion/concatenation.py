"""Concatenation of embeddings and one dense layer."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.concatenation")
class ConcatenationFusion(keras.layers.Layer):
    """Lays the embeddings side by side and mixes them.

        out = relu(W [p_1 x_1, ..., p_n x_n, p] + b)

    with `p_i` 1 where input `i` is present and 0 where not: an absent embedding is
    zero, and the flags `p` tell it from one that happens to be.

    Source: Ngiam et al. 2011, "Multimodal Deep Learning",
    https://icml.cc/2011/papers/399_icmlpaper.pdf, section 3 (a layer over the
    concatenated representations). Deviation: the flags; ReLU for their RBM.

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
        together = sum(shape[-1] for shape in shapes) + len(shapes)
        self.mix = dense(self, together, self.units, "relu")

    def call(self, embeddings, present=None):
        kept = zero_absent(embeddings, present)
        if present is None:
            flags = ops.ones_like(ops.stack([x[:, 0] for x in kept], axis=1))
        else:
            flags = ops.cast(present, kept[0].dtype)  # (batch, n)
        return self.mix(ops.concatenate([*kept, flags], axis=-1))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
