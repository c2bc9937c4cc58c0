"""FiLM: the other modalities scale and shift the features of each modality."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.film")
class FiLMFusion(keras.layers.Layer):
    """Modulates the features of every modality by the other modalities.

        h_i          = normalize(W_i x_i)
        c_i          = relu(sum_{j != i} p_j mean(h_j))
        gamma, beta  = V_i c_i + d_i
        y_i          = relu((1 + gamma) * h_i + beta)
        out          = sum_i p_i mean(y_i)

    with `x_i` the sequence of modality `i` (an embedding is a sequence of one step),
    `mean` over its steps, and `p_i` 1 if it is present, else 0.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning
    Layer", https://arxiv.org/abs/1709.07871, sections 2 and 3. Deviations: every
    modality modulates every other, in one layer after the towers, while in the paper a
    question modulates an image; layer instead of batch normalization; the mean over the
    steps instead of the maximum.

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
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.normalize = keras.layers.LayerNormalization(
            epsilon=1e-5, center=False, scale=False, dtype=self.dtype_policy
        )
        self.values = dense_each(self, shapes, self.units, use_bias=False)
        self.modulators = [dense(self, self.units, 2 * self.units) for _ in shapes]

    def call(self, inputs, present=None, mask=None, inputs_mask=None):
        masks = mask or inputs_mask or [None] * len(inputs)
        x = [ops.expand_dims(x, 1) if len(x.shape) == 2 else x for x in inputs]
        h = [self.normalize(v(x)) for v, x in zip(self.values, x, strict=True)]
        h = zero_absent(h, present)  # (batch, steps_i, units) each
        means = [self.mean(h_i, mask=m) for h_i, m in zip(h, masks, strict=True)]
        means = zero_absent(means, present)  # (batch, units) each
        total = sum(means)  # (batch, units)
        fused = []
        for i, modulator in enumerate(self.modulators):
            c = ops.relu(total - means[i])  # (batch, units)
            gamma_beta = ops.expand_dims(modulator(c), 1)  # (batch, 1, 2 units)
            gamma, beta = ops.split(gamma_beta, 2, axis=-1)  # (batch, 1, units) each
            y = ops.relu((1 + gamma) * h[i] + beta)  # (batch, steps_i, units)
            fused.append(self.mean(y, mask=masks[i]))
        return sum(zero_absent(fused, present))

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {**super().get_config(), "units": self.units}
