"""Early fusion: a transformer over the concatenated sequences."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import build_blocks
from mbm_keras.fusion.tokens import build_norm
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.transformer")
class TransformerFusion(keras.layers.Layer):
    """Concatenates the sequences in time and applies transformer blocks.

        t_i = W_i x_i + b_i + e_i           e_i a learned embedding of modality i
        t   = block(...block([t_1, ..., t_n]))
        out = mean of norm(t) over the valid steps

    No step attends to padding or to an absent input.

    Source: Kim et al. 2021, "ViLT: Vision-and-Language Transformer Without Convolution
    or Region Supervision", https://arxiv.org/abs/2102.03334, section 3.1. Deviations:
    the mean instead of a class token; no position codes, which towers may add.

    Args:
        units: int > 0, width of the tokens and of the fused embedding, a multiple of
            `num_heads`.
        num_heads: int > 0, attention heads of a block.
        num_blocks: int >= 0, number of blocks.
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
        num_heads: int = 4,
        num_blocks: int = 2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.projections = dense_each(self, shapes, self.units)
        self.modality_embeddings = self.add_weight(
            (len(shapes), self.units), keras.initializers.RandomNormal(0.02), name="e"
        )
        self.blocks = build_blocks(self, self.units, self.num_blocks)
        self.norm = build_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        masks = mask or inputs_mask
        tokens, valid = project_tokens(inputs, self.projections, present, masks)
        e = ops.cast(self.modality_embeddings, tokens[0].dtype)
        # (batch, all steps, units) and its mask
        t = ops.concatenate([x + e[i] for i, x in enumerate(tokens)], axis=1)
        valid = ops.concatenate(valid, axis=1)
        for block in self.blocks:
            t = block(t, context_mask=valid, training=training)
        return masked_mean(self.norm(t), valid)  # (batch, units)

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "dropout": self.dropout,
        }
