"""Early fusion: all sequences as one, through a transformer."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.fusion.tokens import built_norm
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.transformer")
class TransformerFusion(keras.layers.Layer):
    """Lays the sequences end to end and lets every place attend to every other.

        t_i = W_i x_i + b_i + e_i           e_i tells the modality
        t   = block(...block([t_1, ..., t_n]))
        out = mean of norm(t) over the places that count

    What is padding, or of an absent input, is attended to by none.

    Source: Kim et al. 2021, "ViLT: Vision-and-Language Transformer Without Convolution
    or Region Supervision", https://arxiv.org/abs/2102.03334, section 3.1. Deviation:
    the mean for a class token; positions are the towers' business.

    Args:
        units: Width of the tokens and of the fused embedding.
        num_heads: Attention heads of a block.
        depth: Number of blocks.
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

    def __init__(self, units, num_heads=4, depth=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.num_heads = num_heads
        self.depth = depth
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.values = dense_each(self, shapes, self.units)
        self.kinds = self.add_weight(
            (len(shapes), self.units), keras.initializers.RandomNormal(0.02), name="e"
        )
        self.blocks = built_blocks(self, self.units, self.depth)
        self.norm = built_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        tokens, counts = tokens_of(inputs, self.values, present, mask or inputs_mask)
        kinds = ops.cast(self.kinds, tokens[0].dtype)
        t = ops.concatenate([x + kinds[i] for i, x in enumerate(tokens)], axis=1)
        counts = ops.concatenate(counts, axis=1)  # (batch, all places)
        for block in self.blocks:
            t = block(t, context_mask=counts, training=training)
        return masked_mean(self.norm(t), counts)

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
