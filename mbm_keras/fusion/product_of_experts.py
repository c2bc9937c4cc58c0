"""Product of experts: the product of one Gaussian per modality."""

from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.layers import zero_absent


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.product_of_experts")
class ProductOfExperts(keras.layers.Layer):
    """Multiplies Gaussians; those with a small variance have a large weight.

        mu_i, log var_i = W_i x_i + b_i
        T_i             = p_i / (var_i + epsilon),   T_0 = 1 the prior N(0, 1)
        mu              = sum_i T_i mu_i / sum_i T_i,    var = 1 / sum_i T_i

    with `p_i` 1 if modality `i` is present, else 0. Without any input the result is the
    prior.

    Source: Wu and Goodman 2018, "Multimodal Generative Models for Scalable
    Weakly-Supervised Learning", https://arxiv.org/abs/1802.05335, section 2.2.
    Deviations: the mean is the fused embedding, without sampling; log variances are
    limited to -20 and 20.

    Args:
        units: int > 0, width of the latent space.
        epsilon: float > 0, minimum variance of a modality.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.
        return_variance: bool. True to return the variance as well.

    Returns:
        The mean `(batch, units)`, float; if `return_variance`, also the variance
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings.
    """

    takes_sequences = False

    def __init__(self, units: int, epsilon: float = 1e-8, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.epsilon = epsilon

    def build(self, shapes):
        check_embeddings(self, shapes)
        self.experts = dense_each(self, shapes, 2 * self.units, multiplies=True)

    def call(self, embeddings, present=None, return_variance=False):
        embeddings = cast_up(self, embeddings)
        y = [e(x) for e, x in zip(self.experts, embeddings, strict=True)]
        # (batch, units) each
        mu, log_var = zip(*(ops.split(y_i, 2, axis=-1) for y_i in y), strict=True)
        # The limits keep variances and their inverses finite.
        t = [1 / (ops.exp(ops.clip(x, -20, 20)) + self.epsilon) for x in log_var]
        t, mu = zero_absent(t, present), zero_absent(mu, present)
        total = 1 + sum(t)
        mean = sum(t_i * mu_i for t_i, mu_i in zip(t, mu, strict=True)) / total
        mean, variance = cast_down(self, mean), cast_down(self, 1 / total)
        return (mean, variance) if return_variance else mean

    def get_config(self):
        return {**super().get_config(), "units": self.units, "epsilon": self.epsilon}
