"""Cross-attention: every modality asks the others."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import always
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.fusion.tokens import built_norm
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import masked_mean
from mbm_keras.layers import repeat_for
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.cross_attention")
class CrossAttentionFusion(keras.layers.Layer):
    """Every sequence attends to the places of all the others, at the same time.

        t_i = W_i x_i + b_i
        t_i = block_i(t_i, [null, t_1, ..., t_(i-1), t_(i+1), ..., t_n])    depth times
        out = sum_i p_i mean(norm(t_i))

    `null` is a place of the layer's own, for a modality that finds no other present.

    Source: Lu et al. 2019, "ViLBERT: Pretraining Task-Agnostic Visiolinguistic
    Representations for Vision-and-Language Tasks", https://arxiv.org/abs/1908.02265,
    section 2.2 (co-attentional layers). Deviations: any number of inputs; no
    self-attention between the layers; the null place.

    Args:
        units: Width of the tokens and of the fused embedding.
        num_heads: Attention heads of a block.
        depth: Number of blocks of each modality.
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

    def __init__(self, units, num_heads=4, depth=1, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.num_heads = num_heads
        self.depth = depth
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.values = dense_each(self, shapes, self.units)
        self.null = self.add_weight(
            (1, self.units), keras.initializers.RandomNormal(0.02), name="null"
        )
        self.blocks = [
            built_blocks(self, self.units, self.depth, crosses=True) for _ in shapes
        ]
        self.norm = built_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        t, counts = tokens_of(inputs, self.values, present, mask or inputs_mask)
        null, known = repeat_for(self.null, t[0]), always(t[0], 1)
        for depth in range(self.depth):
            asked = []
            for i, x in enumerate(t):
                others = ops.concatenate([null, *t[:i], *t[i + 1 :]], axis=1)
                here = ops.concatenate([known, *counts[:i], *counts[i + 1 :]], axis=1)
                asked.append(self.blocks[i][depth](x, others, here, training=training))
            t = zero_absent(asked, present)
        means = [masked_mean(self.norm(x), c) for x, c in zip(t, counts, strict=True)]
        return sum(means)  # (batch, units), zeros of the absent

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_heads": self.num_heads,
            "depth": self.depth,
            "dropout": self.dropout,
        }
