"""BLOCK: a Tucker product of blocks, each of a low rank."""

import math

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.power import normalised
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import ones_for_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.block")
class BlockFusion(keras.layers.Layer):
    """Cuts the embeddings into chunks and gives each chunk a MUTAN of its own.

        x~_i = W_i x_i + b_i,   cut into chunks x~_ic
        z_c  = normalise(signed sqrt of sum_r prod_i (x~_ic M_ic^(r) + m_ic^(r)))
        out  = W [z_1, ..., z_C] + b        products over the present modalities

    Source: Ben-younes et al. 2019, "BLOCK: Bilinear Superdiagonal Fusion for Visual
    Question Answering and Visual Relationship Detection",
    https://arxiv.org/abs/1902.00038, section 3. Deviation: any number of inputs, an
    absent one is a factor of 1; the root is smooth about 0.

    Args:
        units: Width of the fused embedding.
        inner: Width of `x~_i`; 1,600 in the authors' code.
        chunks: Number of chunks; 20 there.
        rank: Number of products of a chunk; 15 there.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings, or `inner` is no
            multiple of `chunks`.
    """

    takes_sequences = False

    def __init__(self, units, inner=120, chunks=6, rank=5, **kwargs):
        super().__init__(**kwargs)
        if inner % chunks:
            raise ValueError(
                "`inner` must be a multiple of `chunks`. "
                f"Received: inner={inner}, chunks={chunks}."
            )
        self.units = units
        self.inner = inner
        self.chunks = chunks
        self.rank = rank

    def build(self, shapes):
        check_embeddings(self, shapes)
        size = self.inner // self.chunks
        chunk = [(None, size)] * len(shapes)
        self.values = dense_each(self, shapes, self.inner)
        self.factors = [
            dense_each(self, chunk, size * self.rank) for _ in range(self.chunks)
        ]
        self.mix = dense(self, self.inner, self.units)

    def call(self, embeddings, present=None):
        values = [v(x) for v, x in zip(self.values, embeddings, strict=True)]
        parts = zip(*(ops.split(v, self.chunks, axis=1) for v in values), strict=True)
        blocks = []
        for factors, chunk in zip(self.factors, parts, strict=True):
            z = [f(x) for f, x in zip(factors, chunk, strict=True)]
            z = math.prod(ones_for_absent(z, present))
            z = ops.reshape(z, (-1, self.rank, self.inner // self.chunks))
            blocks.append(normalised(ops.sum(z, axis=1)))
        return self.mix(ops.concatenate(blocks, axis=-1))  # (batch, units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "chunks": self.chunks,
            "rank": self.rank,
        }
