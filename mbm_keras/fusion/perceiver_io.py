"""Perceiver IO: an output query cross-attends to the latents."""

from typing import Any

import keras

from mbm_keras.fusion.perceiver import EPSILON
from mbm_keras.fusion.perceiver import PerceiverFusion
from mbm_keras.fusion.tokens import build_blocks
from mbm_keras.layers import repeat_for


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.perceiver_io")
class PerceiverIOFusion(PerceiverFusion):
    """A `PerceiverFusion` with a learned output query that attends to the latents.

        out = cross(q, norm(z))

    Source: Jaegle et al. 2022, "Perceiver IO: A General Architecture for Structured
    Inputs & Outputs", https://arxiv.org/abs/2107.14795, section 3.2. Deviation: one
    output query; otherwise as for `PerceiverFusion`.

    Args:
        units: int > 0, width of the latents and of the fused embedding, a multiple of
            `num_heads`.
        num_latents: int > 0, number of latents.
        num_heads: int > 0, attention heads of a self-attention block; a cross-attention
            has one.
        num_blocks: int >= 0, number of cross-attentions, each followed by a
            self-attention block.
        dropout: float in [0, 1), dropout rate in the blocks.

    Call arguments, Returns, Raises: as for `PerceiverFusion`.
    """

    def build(self, shapes):
        super().build(shapes)
        normal = keras.initializers.RandomNormal(0.02)
        self.query = self.add_weight((1, self.units), normal, name="q")
        (self.decoder,) = build_blocks(
            self, self.units, 1, crosses=True, num_heads=1, epsilon=EPSILON
        )

    def decode(self, z: Any, training: bool | None = None) -> Any:
        """Makes one embedding of the latents: the query attends to them.

        Args:
            z: `(batch, num_latents, units)`, float, normalized.
            training: bool, True in training.

        Returns:
            `(batch, units)`, float.
        """
        query = repeat_for(self.query, z)  # (batch, 1, units)
        return self.decoder(query, z, training=training)[:, 0]
