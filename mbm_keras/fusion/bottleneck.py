"""Attention bottlenecks: a few tokens through which everything must go."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import always
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.fusion.tokens import built_norm
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import masked_mean
from mbm_keras.layers import present_mean
from mbm_keras.layers import repeat_for


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.bottleneck")
class BottleneckFusion(keras.layers.Layer):
    """Every modality attends to itself and to the bottleneck, which all share.

        t_i           = W_i x_i + b_i
        [t_i, b_i]    = block_il([t_i, b])          for every modality, l = 1 ... depth
        b             = mean_i b_i                  over the present modalities
        out           = sum_i p_i mean(norm(t_i)) / sum_i p_i

    Source: Nagrani et al. 2021, "Attention Bottlenecks for Multimodal Fusion",
    https://arxiv.org/abs/2107.00135, section 3.2. Deviation: the mean over places for
    class tokens; the unimodal layers are the towers.

    Args:
        units: Width of the tokens and of the fused embedding.
        tokens: Number of tokens of the bottleneck; 4 in the paper.
        num_heads: Attention heads of a block.
        depth: Blocks of each modality.
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

    def __init__(self, units, tokens=4, num_heads=4, depth=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.tokens = tokens
        self.num_heads = num_heads
        self.depth = depth
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.values = dense_each(self, shapes, self.units)
        self.bottleneck = self.add_weight(
            (self.tokens, self.units), keras.initializers.RandomNormal(0.02), name="b"
        )
        self.blocks = [built_blocks(self, self.units, self.depth) for _ in shapes]
        self.norm = built_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        t, counts = tokens_of(inputs, self.values, present, mask or inputs_mask)
        b, known = repeat_for(self.bottleneck, t[0]), always(t[0], self.tokens)
        for depth in range(self.depth):
            shared = []
            for i, blocks in enumerate(self.blocks):
                x = ops.concatenate([b, t[i]], axis=1)
                here = ops.concatenate([known, counts[i]], axis=1)
                x = blocks[depth](x, context_mask=here, training=training)
                shared.append(x[:, : self.tokens])
                t[i] = x[:, self.tokens :]
            b = present_mean(shared, present)  # (batch, tokens, units)
        means = [masked_mean(self.norm(x), c) for x, c in zip(t, counts, strict=True)]
        return present_mean(means, present)  # (batch, units)

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "tokens": self.tokens,
            "num_heads": self.num_heads,
            "depth": self.depth,
            "dropout": self.dropout,
        }
