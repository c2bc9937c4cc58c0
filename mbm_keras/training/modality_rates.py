"""A learning rate of its own for each modality."""

from collections.abc import Mapping
from typing import Any

import keras

from mbm_keras.inputs import towers_of


def modality_rates(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    rates: Mapping[str, float],
) -> keras.optimizers.Optimizer:
    """An optimizer that trains some towers faster or slower than the rest.

    Source: Yao and Mihalcea 2022, "Modality-specific Learning Rates for Effective
    Multimodal Additive Late-fusion", https://doi.org/10.18653/v1/2022.findings-acl.143.
    Deviation: none.

    Args:
        optimizer: A `keras.optimizers.Optimizer` that has not been used; its learning
            rate is a number or a schedule.
        model: A model whose inputs have towers.
        rates: By key of an input, the factor of the learning rate of its tower, 0 or
            more; 1 for inputs without one.

    Returns:
        An optimizer of the same class and settings, for `compile`.

    Raises:
        ValueError: If there is no tower for a key, or a rate is below 0.
    """
    towers = towers_of(model)
    wrong = {key: rate for key, rate in rates.items() if key not in towers or rate < 0}
    if wrong:
        raise ValueError(
            f"Expected rates of 0 or more for the towers of {sorted(towers)}. "
            f"Received: {wrong}."
        )
    by_variable = {
        id(variable): rate
        for key, rate in rates.items()
        for variable in towers[key].variables
    }

    kind: Any = type(optimizer)

    class ModalityRates(kind):
        """The optimizer, with a rate by variable."""

        def build(self, variables):
            super().build(variables)
            self._rates = [by_variable.get(id(v), 1.0) for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            rate = self._rates[self._get_variable_index(variable)]
            learning_rate = learning_rate * keras.ops.cast(rate, learning_rate.dtype)
            super().update_step(gradient, variable, learning_rate)

    return ModalityRates.from_config(optimizer.get_config())
