"""MulT: a transformer for every direction between two modalities."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import always
from mbm_keras.fusion.tokens import built_blocks
from mbm_keras.fusion.tokens import built_norm
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import masked_mean
from mbm_keras.layers import repeat_for
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.cross_modal")
class CrossModalFusion(keras.layers.Layer):
    """Every modality is told again in terms of every other, however they are aligned.

        t_i    = W_i x_i + b_i
        t_ji   = block_ji(...block_ji(t_i, [null, t_j]), [null, t_j])   depth times
        z_i    = block_i([t_1i, ..., t_ni])                 memory times, n - 1 widths
        out    = W [mean(norm(z_1)), ..., mean(norm(z_n))] + b

    The keys of every block are those of the first tokens of `j`. A modality on its own
    attends to itself.

    Source: Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language
    Sequences", https://arxiv.org/abs/1906.00295, section 3. Deviations: the mean over
    time for its last step, any number of inputs, the null place for an absent source.

    Args:
        units: Width of the fused embedding.
        inner: Width of a token; 30 in the paper.
        num_heads: Attention heads of a block.
        depth: Blocks of a direction; 5 in the paper.
        memory: Blocks over what a modality was told; 3 at least there.
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

    def __init__(
        self, units, inner=32, num_heads=4, depth=2, memory=1, dropout=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.num_heads = num_heads
        self.depth = depth
        self.memory = memory
        self.dropout = dropout
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        n = len(shapes)
        self.values = dense_each(self, shapes, self.inner, use_bias=False)
        self.null = self.add_weight(
            (1, self.inner), keras.initializers.RandomNormal(0.02), name="null"
        )
        width = max(1, n - 1) * self.inner
        self.directions, self.memories, self.norms = [], [], []
        for _ in range(n):
            self.directions.append(
                [
                    built_blocks(self, self.inner, self.depth, crosses=True)
                    for _ in range(max(1, n - 1))
                ]
            )
            self.memories.append(built_blocks(self, width, self.memory))
            self.norms.append(built_norm(self, width))
        self.mix = dense(self, n * width, self.units)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=None):
        t, counts = tokens_of(inputs, self.values, present, mask or inputs_mask)
        null, known = repeat_for(self.null, t[0]), always(t[0], 1)
        told = []
        for i, x in enumerate(t):
            sources = [j for j in range(len(t)) if j != i] or [i]
            parts = []
            for j, blocks in zip(sources, self.directions[i], strict=True):
                context = ops.concatenate([null, t[j]], axis=1)
                here = ops.concatenate([known, counts[j]], axis=1)
                y = x
                for block in blocks:
                    y = block(y, context, here, training=training)
                parts.append(y)
            z = ops.concatenate(parts, axis=-1)  # (batch, places_i, width)
            for block in self.memories[i]:
                z = block(z, context_mask=counts[i], training=training)
            told.append(masked_mean(self.norms[i](z), counts[i]))
        return self.mix(ops.concatenate(zero_absent(told, present), axis=-1))

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "num_heads": self.num_heads,
            "depth": self.depth,
            "memory": self.memory,
            "dropout": self.dropout,
        }
