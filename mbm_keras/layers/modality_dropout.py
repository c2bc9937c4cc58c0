"""Drops whole modalities at random in training.

The model then does not rely on a single one.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.modality_dropout")
class ModalityDropout(keras.layers.Layer):
    """Marks present inputs as absent at random in training, but never all of a row.

    Each row is drawn independently. If all present inputs of a row are drawn, one of
    them is kept, each with the same probability.

    Source: Neverova et al. 2016, "ModDrop: Adaptive Multi-Modal Gesture Recognition",
    https://arxiv.org/abs/1501.00102, section 3.3. Deviation: at least one input is
    kept.

    Args:
        rates: float in [0, 1], the rate of all inputs, or a list with a rate for each
            input. The variable `rates` holds them; a callback may change it during
            training.
        seed: int, seed of the draws; None for a random one.

    Call arguments:
        present: `(batch, n)` bool, True where a row has the input.

    Returns:
        `(batch, n)` bool; `present` itself outside training.

    Raises:
        ValueError: If a rate is not in [0, 1], or the number of rates is not the number
            of inputs.
    """

    def __init__(
        self, rates: float | Sequence[float], seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        _check_range(rates)
        self.initial_rates = rates
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def build(self, shape):
        rates = _rate_per_input(self.initial_rates, shape[-1])
        self.rates = self.add_weight(
            (shape[-1],),
            lambda shape, dtype: ops.convert_to_tensor(rates, dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
            name="rates",
        )

    def set_rates(self, rates: float | Sequence[float]) -> None:
        """Changes the rates from the next training step on.

        Args:
            rates: float in [0, 1], or a list with a rate for each input.

        Raises:
            ValueError: If a rate is not in [0, 1], or the number of rates is not the
                number of inputs.
        """
        _check_range(rates)
        self.rates.assign(_rate_per_input(rates, self.rates.shape[0]))

    def call(self, present, training=False):
        if not training:
            return present
        draw = keras.random.uniform(ops.shape(present), seed=self.random)
        kept = ops.logical_and(present, draw >= self.rates)  # (batch, n)
        # The input to keep if no other is kept: the present one with the largest draw.
        draw = keras.random.uniform(ops.shape(present), seed=self.random)
        draw = ops.where(present, draw, ops.full_like(draw, -1.0))
        last = ops.one_hot(ops.argmax(draw, axis=1), present.shape[1], dtype="bool")
        last = ops.logical_and(last, present)  # (batch, n)
        none_kept = ops.logical_not(ops.any(kept, axis=1, keepdims=True))
        return ops.logical_or(kept, ops.logical_and(none_kept, last))

    def compute_output_spec(self, present, training=False):
        return keras.KerasTensor(present.shape, "bool")

    def get_config(self):
        return {**super().get_config(), "rates": self.initial_rates, "seed": self.seed}


def _check_range(rates):
    for rate in rates if isinstance(rates, (list, tuple)) else [rates]:
        if not 0 <= rate <= 1:
            raise ValueError(f"Expected rates in [0, 1]. Received: rates={rates}.")


def _rate_per_input(rates, num_inputs):
    if not isinstance(rates, (list, tuple)):
        return [rates] * num_inputs
    if len(rates) != num_inputs:
        raise ValueError(
            "Expected a rate for each input. "
            f"Received: rates={rates}, num_inputs={num_inputs}."
        )
    return list(rates)
