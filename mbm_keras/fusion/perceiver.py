"""Perceiver: a few latents that read everything there is."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import always
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.fusion.tokens import built_norm
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import repeat_for


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.perceiver")
class PerceiverFusion(keras.layers.Layer):
    """Latents attend to all places of all modalities, and then to each other.

        t   = [null, W_1 x_1 + b_1 + e_1, ..., W_n x_n + b_n + e_n]
        z   = block_l(cross_l(z, t))                l = 1 ... depth, z_0 learned
        out = mean(norm(z))

    What it costs grows with the number of places, not with its square. `null` is a
    place of the layer's own, `e_i` tells the modality.

    Source: Jaegle et al. 2021, "Perceiver: General Perception with Iterative
    Attention", https://arxiv.org/abs/2103.03206, section 3. Deviations: one latent
    block after each reading; no weights are shared; the null place.

    Args:
        units: Width of the latents and of the fused embedding.
        latents: Number of latents.
        num_heads: Attention heads of a block; a reading has one, as in the paper.
        depth: Number of readings.
        dropout: Rate of dropout in the blocks.

    Call arguments:
        inputs: List of `n` tensors `(batch, width_i)` or `(batch, places_i,
            width_i)`.
        present: `(batch, n)` bool, or None if everything is present.
        mask, inputs_mask: Filled in by Keras, the first where `inputs` come alone,
            the second where `present` comes too: the padding of each sequence, which
            does not count.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings and sequences, or
            `units` is no multiple of `num_heads`.
    """

    takes_sequences = True

    def __init__(self, units, latents=8, num_heads=4, depth=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.latents = latents
        self.num_heads = num_heads
        self.depth = depth
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        normal = keras.initializers.RandomNormal(0.02)
        self.values = dense_each(self, shapes, self.units)
        self.kinds = self.add_weight((len(shapes), self.units), normal, name="e")
        self.null = self.add_weight((1, self.units), normal, name="null")
        self.z = self.add_weight((self.latents, self.units), normal, name="z")
        self.readings = built_blocks(
            self, self.units, self.depth, crosses=True, num_heads=1
        )
        self.blocks = built_blocks(self, self.units, self.depth)
        self.norm = built_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        tokens, counts = tokens_of(inputs, self.values, present, mask or inputs_mask)
        kinds = ops.cast(self.kinds, tokens[0].dtype)
        tokens = [x + kinds[i] for i, x in enumerate(tokens)]
        t = ops.concatenate([repeat_for(self.null, tokens[0]), *tokens], axis=1)
        here = ops.concatenate([always(t, 1), *counts], axis=1)
        z = repeat_for(self.z, t)  # (batch, latents, units)
        for reading, block in zip(self.readings, self.blocks, strict=True):
            z = block(reading(z, t, here, training=training), training=training)
        return self.decoded(self.norm(z), training)

    def decoded(self, z, training=None):
        """The latents as one embedding."""
        return ops.mean(z, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "latents": self.latents,
            "num_heads": self.num_heads,
            "depth": self.depth,
            "dropout": self.dropout,
        }
