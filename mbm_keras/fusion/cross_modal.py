"""MulT: a cross-modal transformer for every ordered pair of modalities."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import all_valid
from mbm_keras.fusion.tokens import build_blocks
from mbm_keras.fusion.tokens import build_norm
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import masked_mean
from mbm_keras.layers import repeat_for
from mbm_keras.layers import zero_absent

STYLE: Any = dict(activation="relu", epsilon=1e-5)  # of the blocks, as the authors'


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.cross_modal")
class CrossModalFusion(keras.layers.Layer):
    """Every modality attends to every other, without alignment in time.

        t_i    = W_i x_i + b_i
        t_ji   = block_ji(...block_ji(t_i, [null, t_j]), [null, t_j])   num_blocks times
        z_i    = block_i([t_1i, ..., t_ni])         num_memory_blocks times
        out    = W [mean(norm(z_1)), ..., mean(norm(z_n))] + b

    All blocks of a pair attend to the projected tokens `t_j`. `z_i` is as wide as n - 1
    tokens. `null` is a learned token, the context if `j` is absent. A single modality
    attends to itself.

    Source: Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language
    Sequences", https://arxiv.org/abs/1906.00295, section 3. Deviations: the mean over
    time instead of the last step; any number of inputs; the null token; no position
    codes, which towers may add; a normalization of its own for the context of a block.
    `mbm_keras.models.mult` is the model of the paper.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of a token, a multiple of `num_heads`; 30 in the paper.
        num_heads: int > 0, attention heads of a block.
        num_blocks: int >= 0, blocks of an ordered pair; 5 in the paper.
        num_memory_blocks: int >= 0, self-attention blocks over the results of all pairs
            of a modality; 3 or more in the paper.
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
            `inner` is not a multiple of `num_heads`.
    """

    takes_sequences = True

    def __init__(
        self,
        units: int,
        inner: int = 32,
        num_heads: int = 4,
        num_blocks: int = 2,
        num_memory_blocks: int = 1,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.num_memory_blocks = num_memory_blocks
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        n = len(shapes)
        self.projections = dense_each(self, shapes, self.inner, use_bias=False)
        self.null = self.add_weight(
            (1, self.inner), keras.initializers.RandomNormal(0.02), name="null"
        )
        width = max(1, n - 1) * self.inner
        self.pairs, self.memories, self.norms = [], [], []
        for _ in range(n):
            self.pairs.append(
                [
                    build_blocks(
                        self, self.inner, self.num_blocks, crosses=True, **STYLE
                    )
                    for _ in range(max(1, n - 1))
                ]
            )
            self.memories.append(
                build_blocks(self, width, self.num_memory_blocks, **STYLE)
            )
            self.norms.append(build_norm(self, width, STYLE["epsilon"]))
        self.mix = dense(self, n * width, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        masks = mask or inputs_mask
        t, valid = project_tokens(inputs, self.projections, present, masks)
        null, null_valid = repeat_for(self.null, t[0]), all_valid(t[0], 1)
        embeddings = []
        for i, x in enumerate(t):
            sources = [j for j in range(len(t)) if j != i] or [i]
            attended = []
            for j, blocks in zip(sources, self.pairs[i], strict=True):
                context = ops.concatenate([null, t[j]], axis=1)
                context_valid = ops.concatenate([null_valid, valid[j]], axis=1)
                y = x  # (batch, steps_i, inner)
                for block in blocks:
                    y = block(y, context, context_valid, training=training)
                attended.append(y)
            z = ops.concatenate(attended, axis=-1)  # (batch, steps_i, width)
            for block in self.memories[i]:
                z = block(z, context_mask=valid[i], training=training)
            embeddings.append(masked_mean(self.norms[i](z), valid[i]))  # (batch, width)
        return self.mix(ops.concatenate(zero_absent(embeddings, present), axis=-1))

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "num_memory_blocks": self.num_memory_blocks,
            "dropout": self.dropout,
        }
