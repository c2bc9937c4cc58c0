"""The non-local gate: the first modality gathers what it needs of the others."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.fusion.tokens import tokens_of
from mbm_keras.layers import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.non_local")
class NonLocalFusion(keras.layers.Layer):
    """Each place of the first modality is added what it finds in the others.

        q   = W_1 x_1,   k_j = K_j x_j,   v_j = V_j x_j         j = 2 ... n
        y   = q + sum_j p_j softmax(q k_j' / sqrt(units)) v_j
        out = mean of y over the places of the first

    Source: Wang et al. 2018, "Non-local Neural Networks",
    https://arxiv.org/abs/1711.07971, section 3.2, between modalities as Wang et al.
    2020, "What Makes Training Multi-modal Classification Networks Hard?",
    https://arxiv.org/abs/1905.12681, appendix F. Deviations: the mean for the
    flattening; scaled products; any number of inputs. Without the first input its one
    place is zero and asks all places alike.

    Args:
        units: Width of the fused embedding.

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
        ValueError: If called with anything but a list of embeddings and sequences.
    """

    takes_sequences = True

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        first, *rest = shapes
        self.query = dense_each(self, [first], self.units, use_bias=False)
        self.keys = dense_each(self, rest, self.units, use_bias=False)
        self.values = dense_each(self, rest, self.units, use_bias=False)

    def call(self, inputs, present=None, mask=None, inputs_mask=None):
        masks = mask or inputs_mask or [None] * len(inputs)
        first = others = None
        if present is not None:
            first, others = present[:, :1], present[:, 1:]
        (q,), (own,) = tokens_of(inputs[:1], self.query, first, masks[:1])
        k, counts = tokens_of(inputs[1:], self.keys, others, masks[1:])
        v, _ = tokens_of(inputs[1:], self.values, others, masks[1:])
        if first is not None:  # its places are all zero then, and count as they are
            own = ops.logical_or(own, ops.logical_not(first))
        y = q
        for k_j, v_j, count in zip(k, v, counts, strict=True):
            score = ops.matmul(q, ops.swapaxes(k_j, 1, 2)) / self.units**0.5
            never = ops.full_like(score, -1e4)  # finite in float16
            score = ops.where(ops.expand_dims(count, 1), score, never)
            found = ops.matmul(ops.softmax(score, axis=-1), v_j)
            some = ops.reshape(ops.any(count, axis=1), (-1, 1, 1))
            y = y + ops.where(some, found, ops.zeros_like(found))
        return masked_mean(y, own)

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {**super().get_config(), "units": self.units}
