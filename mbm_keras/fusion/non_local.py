"""Non-local fusion: the first modality attends to the others."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.non_local")
class NonLocalFusion(keras.layers.Layer):
    """Adds to each step of the first modality what it attends to in the others.

        q   = W_1 x_1,   k_j = K_j x_j,   v_j = V_j x_j         j = 2 ... n
        y   = q + sum_j p_j softmax(q k_j' / sqrt(units)) v_j
        out = mean of y over the steps of the first

    with `p_j` 1 if input `j` is present, else 0.

    Source: Wang et al. 2018, "Non-local Neural Networks",
    https://arxiv.org/abs/1711.07971, section 3.2, between modalities as Wang et al.
    2020, "What Makes Training Multi-modal Classification Networks Hard?",
    https://arxiv.org/abs/1905.12681, appendix F. Deviations: the mean
    instead of flattening; scaled products; any number of inputs. If the first input is
    absent, its queries are zeros and attend to all steps equally.

    Args:
        units: int > 0, width of the fused embedding.

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
        ValueError: If called with anything but a list of embeddings and sequences.
    """

    takes_sequences = True

    def __init__(self, units: int, **kwargs: Any):
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
        (q,), (q_valid,) = project_tokens(inputs[:1], self.query, first, masks[:1])
        k, valid = project_tokens(inputs[1:], self.keys, others, masks[1:])
        v, _ = project_tokens(inputs[1:], self.values, others, masks[1:])
        if first is not None:  # if it is absent, all its steps are used, as zeros
            q_valid = ops.logical_or(q_valid, ops.logical_not(first))
        y = q  # (batch, steps_1, units)
        for k_j, v_j, valid_j in zip(k, v, valid, strict=True):
            # (batch, steps_1, steps_j)
            k_j = ops.swapaxes(ops.cast(k_j, "float32"), 1, 2)
            score = ops.matmul(ops.cast(q, "float32"), k_j) / self.units**0.5
            lowest = ops.full_like(score, -1e30)
            score = ops.where(ops.expand_dims(valid_j, 1), score, lowest)
            share = ops.cast(ops.softmax(score, axis=-1), v_j.dtype)
            attended = ops.matmul(share, v_j)
            any_valid = ops.reshape(ops.any(valid_j, axis=1), (-1, 1, 1))
            y = y + ops.where(any_valid, attended, ops.zeros_like(attended))
        return masked_mean(y, q_valid)  # (batch, units)

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {**super().get_config(), "units": self.units}
