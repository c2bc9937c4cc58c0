"""FiLM: each modality is scaled and shifted by what the others say."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.tokens import check_sequences
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.film")
class FiLMFusion(keras.layers.Layer):
    """Modulates the feature maps of every modality by the other modalities.

    With `x_i` the feature maps of modality `i` (one vector per region, word or
    moment; an embedding is a map of one place), `mean` over their places and `p_i`
    1 where it is present and 0 where not:

        h_i          = normalise(W_i x_i)
        c_i          = relu(sum_{j != i} p_j mean(h_j))
        gamma, beta  = V_i c_i + d_i
        y_i          = relu((1 + gamma) * h_i + beta)
        out          = sum_i p_i mean(y_i)

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning
    Layer", https://arxiv.org/abs/1709.07871, sections 2 and 3. Deviations: there a
    question modulates a picture; here every modality modulates every other, in one
    layer after the towers; the normalisation before it, theirs over the batch, is over
    the width of a place; the maps are averaged for their maximum.

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
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.normalise = keras.layers.LayerNormalization(
            center=False, scale=False, dtype=self.dtype_policy
        )
        self.values = dense_each(self, shapes, self.units, use_bias=False)
        self.modulators = [dense(self, self.units, 2 * self.units) for _ in shapes]

    def call(self, inputs, present=None, mask=None, inputs_mask=None):
        masks = mask or inputs_mask or [None] * len(inputs)
        x = [ops.expand_dims(x, 1) if len(x.shape) == 2 else x for x in inputs]
        h = [self.normalise(v(x)) for v, x in zip(self.values, x, strict=True)]
        h = zero_absent(h, present)  # (batch, places_i, units) each
        s = [self.mean(h_i, mask=m) for h_i, m in zip(h, masks, strict=True)]
        s = zero_absent(s, present)
        everything = sum(s)  # (batch, units)
        fused = []
        for i, modulator in enumerate(self.modulators):
            gamma_beta = modulator(ops.relu(everything - s[i]))  # (batch, 2 units)
            gamma, beta = ops.split(ops.expand_dims(gamma_beta, 1), 2, axis=-1)
            y = ops.relu((1 + gamma) * h[i] + beta)  # (batch, places_i, units)
            fused.append(self.mean(y, mask=masks[i]))
        return sum(zero_absent(fused, present))

    def compute_mask(self, inputs, mask=None):
        return None  # the places are gone, and their mask with them

    def get_config(self):
        return {**super().get_config(), "units": self.units}
