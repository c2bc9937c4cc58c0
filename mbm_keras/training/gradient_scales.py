"""The layers that scale the gradients of towers, as a callback sets them."""

from collections.abc import Sequence

import keras

from mbm_keras.inputs import gradient_name


class GradientScales:
    """The factors by which the gradients of a model's towers are multiplied.

    Args:
        model: A model whose towers are followed by `GradientScale` layers.
        keys: Keys of the inputs.
        argument: The argument of the builder that adds the layers, for the error.

    Raises:
        ValueError: If a tower has no such layer.
    """

    def __init__(self, model: keras.Model, keys: Sequence[str], argument: str):
        layers = {layer.name: layer for layer in model.layers}
        missing = [key for key in keys if gradient_name(key) not in layers]
        if missing:
            raise ValueError(
                f"Expected a model that was built with `{argument}`, with a gradient "
                f"scale after every tower. Received: none for {missing}."
            )
        self.model = model
        self.variables = [layers[gradient_name(key)].scale for key in keys]

    def sync(self) -> None:
        """Writes the state of the latest step into the variables of the model.

        On JAX the steps of an epoch pass their state on without the variables, which
        otherwise keep the values from the begin of the epoch.
        """
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()

    def set(self, scales: Sequence[float]) -> None:
        """Sets one factor for each tower, for the steps to come."""
        self.sync()
        for variable, scale in zip(self.variables, scales, strict=True):
            variable.assign(scale)

    def reset(self) -> None:
        """Sets all factors to 1."""
        for variable in self.variables:
            variable.assign(1.0)
