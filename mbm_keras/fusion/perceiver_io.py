"""Perceiver IO: the latents are asked for what is wanted."""

import keras

from mbm_keras.fusion.perceiver import PerceiverFusion
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.layers import repeat_for


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.perceiver_io")
class PerceiverIOFusion(PerceiverFusion):
    """A `PerceiverFusion` whose latents a learned question reads.

        out = cross(q, norm(z))

    Source: Jaegle et al. 2022, "Perceiver IO: A General Architecture for Structured
    Inputs & Outputs", https://arxiv.org/abs/2107.14795, section 3.2, with one question.
    Deviation: as for `PerceiverFusion`.

    Args:
        units: Width of the latents and of the fused embedding.
        latents: Number of latents.
        num_heads: Attention heads of a block; a reading has one.
        depth: Number of readings.
        dropout: Rate of dropout in the blocks.

    Call arguments, Returns, Raises: as for `PerceiverFusion`.
    """

    def build(self, shapes):
        super().build(shapes)
        normal = keras.initializers.RandomNormal(0.02)
        self.question = self.add_weight((1, self.units), normal, name="q")
        (self.decoder,) = built_blocks(self, self.units, 1, crosses=True, num_heads=1)

    def decoded(self, z, training=None):
        """What the question finds in the latents."""
        question = repeat_for(self.question, z)  # (batch, 1, units)
        return self.decoder(question, z, training=training)[:, 0]
