"""Attention bottleneck: modalities exchange information through a few shared tokens."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import all_valid
from mbm_keras.fusion.tokens import build_blocks
from mbm_keras.fusion.tokens import build_norm
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import masked_mean
from mbm_keras.layers import present_mean
from mbm_keras.layers import repeat_for


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.bottleneck")
class BottleneckFusion(keras.layers.Layer):
    """Each modality attends to itself and to bottleneck tokens that all share.

        t_i           = W_i x_i + b_i
        [t_i, b_i]    = block_il([t_i, b])      for every modality, l = 1 ... num_blocks
        b             = mean_i b_i              over the present modalities
        out           = sum_i p_i mean(norm(t_i)) / sum_i p_i

    with `p_i` 1 if input `i` is present, else 0.

    Source: Nagrani et al. 2021, "Attention Bottlenecks for Multimodal Fusion",
    https://arxiv.org/abs/2107.00135, section 3.2. Deviations: the mean over the steps
    instead of class tokens; the unimodal layers are the towers.

    Args:
        units: int > 0, width of the tokens and of the fused embedding, a multiple of
            `num_heads`.
        num_bottleneck_tokens: int > 0, number of tokens of the bottleneck; 4 in the
            paper.
        num_heads: int > 0, attention heads of a block.
        num_blocks: int >= 0, blocks of each modality.
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
        num_bottleneck_tokens: int = 4,
        num_heads: int = 4,
        num_blocks: int = 2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.num_bottleneck_tokens = num_bottleneck_tokens
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.projections = dense_each(self, shapes, self.units)
        self.bottleneck = self.add_weight(
            (self.num_bottleneck_tokens, self.units),
            keras.initializers.RandomNormal(0.02),
            name="b",
        )
        self.blocks = [
            build_blocks(self, self.units, self.num_blocks, activation="gelu_tanh")
            for _ in shapes
        ]
        self.norm = build_norm(self, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        masks = mask or inputs_mask
        t, valid = project_tokens(inputs, self.projections, present, masks)
        size = self.num_bottleneck_tokens
        b = repeat_for(self.bottleneck, t[0])  # (batch, size, units)
        # The bottleneck comes before the tokens of a modality: (batch, size + steps_i).
        valid_both = [
            ops.concatenate([all_valid(t[0], size), valid_i], axis=1)
            for valid_i in valid
        ]
        for layer in range(self.num_blocks):
            updates = []
            for i, blocks in enumerate(self.blocks):
                x = ops.concatenate([b, t[i]], axis=1)  # (batch, size + steps_i, units)
                x = blocks[layer](x, context_mask=valid_both[i], training=training)
                updates.append(x[:, :size])
                t[i] = x[:, size:]
            b = present_mean(updates, present)  # (batch, size, units)
        means = [masked_mean(self.norm(x), v) for x, v in zip(t, valid, strict=True)]
        return present_mean(means, present)  # (batch, units)

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_bottleneck_tokens": self.num_bottleneck_tokens,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "dropout": self.dropout,
        }
