"""Cross-attention: every modality attends to the others."""

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
from mbm_keras.layers import repeat_for
from mbm_keras.layers import zero_absent

EPSILON = 1e-12  # of the normalizations, as in BERT


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.cross_attention")
class CrossAttentionFusion(keras.layers.Layer):
    """Every sequence attends to the steps of all others, in parallel.

        t_i = W_i x_i + b_i
        t_i = block_i(t_i, [null, t_1, ..., t_(i-1), t_(i+1), ..., t_n])
        out = sum_i p_i mean(norm(t_i))

    with `block_i` applied `num_blocks` times, and `p_i` 1 if input `i` is present, else
    0. `null` is a learned token, the context of a modality if no other is present.

    Source: Lu et al. 2019, "ViLBERT: Pretraining Task-Agnostic Visiolinguistic
    Representations for Vision-and-Language Tasks", https://arxiv.org/abs/1908.02265,
    section 2.2 (co-attentional layers). Deviations: any number of inputs; no
    self-attention between the layers; the null token.

    Args:
        units: int > 0, width of the tokens and of the fused embedding, a multiple of
            `num_heads`.
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
        num_heads: int = 4,
        num_blocks: int = 1,
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
        self.null = self.add_weight(
            (1, self.units), keras.initializers.RandomNormal(0.02), name="null"
        )
        self.blocks = [
            build_blocks(
                self, self.units, self.num_blocks, crosses=True, epsilon=EPSILON
            )
            for _ in shapes
        ]
        self.norm = build_norm(self, self.units, EPSILON)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        masks = mask or inputs_mask
        t, valid = project_tokens(inputs, self.projections, present, masks)
        null, null_valid = repeat_for(self.null, t[0]), all_valid(t[0], 1)
        # The mask of the null token and the steps of all others, for each modality.
        others_valid = [
            ops.concatenate([null_valid, *valid[:i], *valid[i + 1 :]], axis=1)
            for i in range(len(t))
        ]
        for layer in range(self.num_blocks):
            attended = []
            for i, x in enumerate(t):
                others = ops.concatenate([null, *t[:i], *t[i + 1 :]], axis=1)
                block = self.blocks[i][layer]
                attended.append(block(x, others, others_valid[i], training=training))
            t = zero_absent(attended, present)  # (batch, steps_i, units) each
        means = [masked_mean(self.norm(x), v) for x, v in zip(t, valid, strict=True)]
        return sum(means)  # (batch, units); the mean of an absent input is zeros

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
