"""Learning rates by layer and by depth."""

import re
from collections.abc import Mapping
from typing import Any

import keras

_BLOCK = re.compile(r"(?<=\.)\d+(?=\.)")  # the number of a block in a layer's name


@keras.saving.register_keras_serializable(package="mbm_keras.training.rates")
class RatedAdam(keras.optimizers.Adam):
    """Adam with a factor of the learning rate for some variables.

    The factors belong to the variables of one model. A file keeps the state of the
    optimizer without them.

    Source: Kingma and Ba 2015, "Adam", https://arxiv.org/abs/1412.6980. Deviation: the
    factors.
    """

    factors: Mapping[int, float] = {}

    def build(self, variables):
        super().build(variables)
        self._factors = [self.factors.get(id(v), 1.0) for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        factor = self._factors[self._get_variable_index(variable)]
        learning_rate = learning_rate * keras.ops.cast(factor, learning_rate.dtype)
        super().update_step(gradient, variable, learning_rate)


def rate_factors(
    model: keras.Model, rates: Mapping[str, float], depth_decay: float = 1.0
) -> dict[int, float]:
    """Factors of the learning rate by `id` of the variable; 1 is left out.

    Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text
    Classification", https://arxiv.org/abs/1801.06146, section 3.2, rates by depth.
    Deviation: a block has one rate.

    Args:
        model: A functional model.
        rates: As for `Stage`.
        depth_decay: As for `Stage`.
    """
    factors: dict[int, float] = {}
    for layer in model.layers:
        rate = rates.get(layer.name, 1.0)
        networks = _networks_in(layer)
        for network in networks:
            for variable, depth in _depths(network):
                factors[id(variable)] = rate * depth_decay**depth
        if not networks:
            factors |= {id(variable): rate for variable in layer.variables}
    return {key: factor for key, factor in factors.items() if factor != 1.0}


def _networks_in(layer):
    """The networks in a tower: what is published, without what is new around it."""
    inside = layer.layers if isinstance(layer, keras.Model) else []
    return [x for x in inside if isinstance(x, keras.Model)]


def _depths(network: Any) -> list[tuple[Any, int]]:
    """Variables, and how many blocks are between each and the last block.

    What is before the first block counts as one block more.
    """
    found: list[tuple[Any, tuple[int, ...]]] = []
    latest: tuple[int, ...] = ()
    for layer in _leaves(network):
        numbers = tuple(int(x) for x in _BLOCK.findall(layer.name))
        if numbers:
            latest = numbers
        found += [(variable, latest) for variable in layer.variables]
    order = sorted({numbers for _, numbers in found})
    place = {numbers: len(order) - 1 - i for i, numbers in enumerate(order)}
    return [(variable, place[numbers]) for variable, numbers in found]


def _leaves(network):
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer
