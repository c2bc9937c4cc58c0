"""BLOCK: a block-diagonal Tucker product, each block of low rank."""

import math
from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.power import power_normalize
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.block")
class BlockFusion(keras.layers.Layer):
    """Splits the embeddings into chunks and fuses each chunk by its own MUTAN.

        x~_i = W_i x_i + b_i,   split into chunks x~_ic
        z_c  = normalize(sum_r prod_i (x~_ic M_ic^(r) + m_ic^(r)))
        out  = W [z_1, ..., z_C] + b        products over the present modalities

    with `normalize` the signed square root, divided by its Euclidean norm.

    Source: Ben-younes et al. 2019, "BLOCK: Bilinear Superdiagonal Fusion for Visual
    Question Answering and Visual Relationship Detection",
    https://arxiv.org/abs/1902.00038, section 3. Deviations: any number of
    inputs, an absent one is a factor of 1; the root of `power_normalize`.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of `x~_i`, a multiple of `num_chunks`; 1,600 in the
            authors' code.
        num_chunks: int > 0, number of chunks C; 20 in the authors' code.
        rank: int > 0, number of products per chunk; 15 in the authors' code.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings, or `inner` is not
            a multiple of `num_chunks`.
    """

    takes_sequences = False

    def __init__(
        self,
        units: int,
        inner: int = 120,
        num_chunks: int = 6,
        rank: int = 5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if inner % num_chunks:
            raise ValueError(
                "Expected `inner` to be a multiple of `num_chunks`. "
                f"Received: inner={inner}, num_chunks={num_chunks}."
            )
        self.units = units
        self.inner = inner
        self.num_chunks = num_chunks
        self.rank = rank

    def build(self, shapes):
        check_embeddings(self, shapes)
        size = self.inner // self.num_chunks  # width of a chunk
        chunk_shapes = [(None, size)] * len(shapes)
        self.values = dense_each(self, shapes, self.inner, multiplies=True)
        self.factors = [
            dense_each(self, chunk_shapes, size * self.rank, multiplies=True)
            for _ in range(self.num_chunks)
        ]
        self.mix = dense(self, self.inner, self.units, multiplies=True)

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        # For each chunk, its part of every embedding: (batch, size) each.
        split = [ops.split(v, self.num_chunks, axis=1) for v in values]
        blocks = []
        for factors, chunk in zip(self.factors, zip(*split, strict=True), strict=True):
            z = [f(x) for f, x in zip(factors, chunk, strict=True)]
            z = math.prod(ones_for_absent(z, present))  # (batch, size * rank)
            z = ops.reshape(z, (-1, self.rank, self.inner // self.num_chunks))
            blocks.append(power_normalize(ops.sum(z, axis=1)))  # (batch, size)
        x = self.mix(ops.concatenate(blocks, axis=-1))  # (batch, units)
        return cast_down(self, x)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "num_chunks": self.num_chunks,
            "rank": self.rank,
        }
