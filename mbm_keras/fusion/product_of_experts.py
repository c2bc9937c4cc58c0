"""Product of experts: the joint posterior of Gaussians."""

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.product_of_experts")
class ProductOfExperts(keras.layers.Layer):
    """Each modality gives a Gaussian; the sure ones count for more.

        mu_i, log var_i = W_i x_i + b_i
        T_i             = p_i / (var_i + epsilon),   T_0 = 1 the prior N(0, 1)
        mu              = sum_i T_i mu_i / sum_i T_i,    var = 1 / sum_i T_i

    with `p_i` 1 where modality `i` is present and 0 where not: an absent one has no
    say, and with none at all the prior is left.

    Source: Wu and Goodman 2018, "Multimodal Generative Models for Scalable
    Weakly-Supervised Learning", https://arxiv.org/abs/1802.05335, section 2.2.
    Deviation: the mean is the fused embedding, nothing is drawn from it here.

    Args:
        units: Width of the latent space.
        epsilon: Least variance of a modality.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.
        return_variance: True to also return the variance.

    Returns:
        `(batch, units)`, the mean; and if `return_variance`, the variance in the same
        shape.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.epsilon = epsilon

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.experts = dense_each(self, shapes, 2 * self.units)

    def call(self, embeddings, present=None, return_variance=False):
        made = [e(x) for e, x in zip(self.experts, embeddings, strict=True)]
        means, logs = zip(*(ops.split(x, 2, axis=-1) for x in made), strict=True)
        # A variance beyond e^10 has no say, and its inverse is finite in float16.
        trust = [1 / (ops.exp(ops.clip(x, -10, 10)) + self.epsilon) for x in logs]
        trust, means = zero_absent(trust, present), zero_absent(means, present)
        total = 1 + sum(trust)
        mean = sum(t * m for t, m in zip(trust, means, strict=True)) / total
        return (mean, 1 / total) if return_variance else mean

    def get_config(self):
        return {**super().get_config(), "units": self.units, "epsilon": self.epsilon}
