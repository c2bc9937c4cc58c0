"""Modalities taken away at random, so that none is leaned on."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.modality_dropout")
class ModalityDropout(keras.layers.Layer):
    """Declares present inputs absent at random while training, never all of them.

    Every row draws for itself. Where all that a row has would go, one of it stays,
    each with the same chance.

    Source: Neverova et al. 2016, "ModDrop: Adaptive Multi-Modal Gesture Recognition",
    https://arxiv.org/abs/1501.00102, section 3.3. Deviation: at least one stays.

    Args:
        rates: A rate in [0, 1] for all inputs, or one for each. They are kept in the
            variable `rates`, which a callback may change while training goes on.
        seed: Seed of the draws.

    Call arguments:
        present: `(batch, n)` bool.

    Returns:
        `(batch, n)` bool; `present` itself outside training.

    Raises:
        ValueError: If a rate is not in [0, 1], or there is not one for each input.
    """

    def __init__(self, rates, seed=None, **kwargs):
        super().__init__(**kwargs)
        _in_range(rates)
        self.given = rates
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def build(self, shape):
        rates = _one_each(self.given, shape[-1])
        self.rates = self.add_weight(
            (shape[-1],),
            lambda shape, dtype: ops.convert_to_tensor(rates, dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
            name="rates",
        )

    def set_rates(self, rates):
        """Other rates from the next step on, of the same kind as those given at first.

        Raises:
            ValueError: If a rate is not in [0, 1], or there is not one for each input.
        """
        self.rates.assign(_one_each(_in_range(rates), self.rates.shape[0]))

    def call(self, present, training=False):
        if not training:
            return present
        drawn = keras.random.uniform(ops.shape(present), seed=self.random)
        kept = ops.logical_and(present, drawn >= self.rates)
        # Who is to stay where nobody would: the present one with the largest draw.
        drawn = keras.random.uniform(ops.shape(present), seed=self.random)
        drawn = ops.where(present, drawn, ops.full_like(drawn, -1.0))
        last = ops.one_hot(ops.argmax(drawn, axis=1), present.shape[1], dtype="bool")
        last = ops.logical_and(last, present)
        nobody = ops.logical_not(ops.any(kept, axis=1, keepdims=True))
        return ops.logical_or(kept, ops.logical_and(nobody, last))

    def compute_output_spec(self, present, training=False):
        return keras.KerasTensor(present.shape, "bool")

    def get_config(self):
        return {**super().get_config(), "rates": self.given, "seed": self.seed}


def _in_range(rates):
    given = rates if isinstance(rates, (list, tuple)) else [rates]
    if not all(0 <= rate <= 1 for rate in given):
        raise ValueError(f"A rate is in [0, 1]. Received: rates={rates}.")
    return rates


def _one_each(rates, inputs):
    if not isinstance(rates, (list, tuple)):
        return [rates] * inputs
    if len(rates) != inputs:
        raise ValueError(
            f"There must be a rate for each of {inputs} inputs. "
            f"Received: rates={rates}."
        )
    return list(rates)
