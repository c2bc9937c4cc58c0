"""A learning rate of its own for every modality."""

import keras


def modality_rates(optimizer, model, rates):
    """An optimizer that trains some towers faster or slower than the rest.

    Source: Yao and Mihalcea 2022, "Modality-specific Learning Rates for Effective
    Multimodal Additive Late-fusion", https://doi.org/10.18653/v1/2022.findings-acl.143.

    Args:
        optimizer: A `keras.optimizers.Optimizer` that has not been used, its learning
            rate a number or a schedule.
        model: A model whose towers are called `<name>_tower`.
        rates: By name of an input, what the learning rate of its tower is multiplied
            by; 1 for those that are not named.

    Returns:
        An optimizer of the same kind and settings, for `compile`.

    Raises:
        ValueError: If there is no tower of a name, or a rate is below 0.
    """
    towers = {
        layer.name.removesuffix("_tower"): layer
        for layer in model.layers
        if layer.name.endswith("_tower")
    }
    wrong = {n: r for n, r in rates.items() if n not in towers or r < 0}
    if wrong:
        raise ValueError(
            f"There are towers of {sorted(towers)}, and a rate is 0 or more. "
            f"Received: {wrong}."
        )
    by_variable = {
        id(variable): rate
        for name, rate in rates.items()
        for variable in towers[name].variables
    }

    class ModalityRates(type(optimizer)):
        """The optimizer, with a rate by variable."""

        def build(self, variables):
            super().build(variables)
            self._rates = [by_variable.get(id(v), 1.0) for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            rate = self._rates[self._get_variable_index(variable)]
            learning_rate = learning_rate * keras.ops.cast(rate, learning_rate.dtype)
            super().update_step(gradient, variable, learning_rate)

    return ModalityRates.from_config(optimizer.get_config())
