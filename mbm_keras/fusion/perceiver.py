"""Perceiver: a few latents cross-attend to all inputs."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import all_valid
from mbm_keras.fusion.tokens import build_blocks
from mbm_keras.fusion.tokens import build_norm
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import repeat_for

EPSILON = 1e-5  # of the normalizations, as in the authors' code


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.perceiver")
class PerceiverFusion(keras.layers.Layer):
    """Latents attend to all steps of all modalities, and then to each other.

        t   = [null, W_1 x_1 + b_1 + e_1, ..., W_n x_n + b_n + e_n]
        z   = block_l(cross_l(z, t))                l = 1 ... num_blocks, z_0 learned
        out = mean(norm(z))

    The cost is linear in the number of steps. `e_i` is a learned embedding of modality
    `i`, `null` a learned token.

    Source: Jaegle et al. 2021, "Perceiver: General Perception with Iterative
    Attention", https://arxiv.org/abs/2103.03206, section 3. Deviations: one
    self-attention block after each cross-attention; no shared weights; the null token.

    Args:
        units: int > 0, width of the latents and of the fused embedding, a multiple of
            `num_heads`.
        num_latents: int > 0, number of latents.
        num_heads: int > 0, attention heads of a self-attention block; a cross-attention
            has one, as in the paper.
        num_blocks: int >= 0, number of cross-attentions, each followed by a
            self-attention block.
        dropout: float in [0, 1), dropout rate in the blocks.

    Call arguments:
        inputs: List of `n` tensors, float: embeddings `(batch, width_i)` or sequences
            `(batch, steps_i, width_i)`.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.
        mask, inputs_mask: Lists of `n` masks, `(batch, steps_i)` bool, False for
            padding, or None. Keras fills in the first if `inputs` is the only argument,
            and the second if `present` is given as well.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings and sequences, or
            `units` is not a multiple of `num_heads`.
    """

    takes_sequences = True

    def __init__(
        self,
        units: int,
        num_latents: int = 8,
        num_heads: int = 4,
        num_blocks: int = 2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.num_latents = num_latents
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        normal = keras.initializers.RandomNormal(0.02)
        self.projections = dense_each(self, shapes, self.units)
        self.modality_embeddings = self.add_weight(
            (len(shapes), self.units), normal, name="e"
        )
        self.null = self.add_weight((1, self.units), normal, name="null")
        self.z = self.add_weight((self.num_latents, self.units), normal, name="z")
        self.cross_blocks = build_blocks(
            self,
            self.units,
            self.num_blocks,
            crosses=True,
            num_heads=1,
            epsilon=EPSILON,
        )
        self.blocks = build_blocks(self, self.units, self.num_blocks, epsilon=EPSILON)
        self.norm = build_norm(self, self.units, EPSILON)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        masks = mask or inputs_mask
        tokens, valid = project_tokens(inputs, self.projections, present, masks)
        e = ops.cast(self.modality_embeddings, tokens[0].dtype)
        tokens = [x + e[i] for i, x in enumerate(tokens)]
        # (batch, 1 + all steps, units) and its mask
        t = ops.concatenate([repeat_for(self.null, tokens[0]), *tokens], axis=1)
        t_valid = ops.concatenate([all_valid(t, 1), *valid], axis=1)
        z = repeat_for(self.z, t)  # (batch, num_latents, units)
        for cross, block in zip(self.cross_blocks, self.blocks, strict=True):
            z = block(cross(z, t, t_valid, training=training), training=training)
        return self.decode(self.norm(z), training)

    def decode(self, z: Any, training: bool | None = None) -> Any:
        """Makes one embedding of the latents: their mean.

        Args:
            z: `(batch, num_latents, units)`, float, normalized.
            training: bool, True in training.

        Returns:
            `(batch, units)`, float.
        """
        return ops.mean(z, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_latents": self.num_latents,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "dropout": self.dropout,
        }
