"""The `<name>_gradient` layers of a model, as a callback sets them while it trains."""


class GradientScales:
    """What the gradients of a model's towers are multiplied by.

    Args:
        model: A model whose towers are followed by `GradientScale` layers.
        names: Names of the inputs.
        how: The argument of its builder that puts them there.

    Raises:
        ValueError: If a tower has none.
    """

    def __init__(self, model, names, how):
        there = {layer.name for layer in model.layers}
        lacking = [name for name in names if f"{name}_gradient" not in there]
        if lacking:
            raise ValueError(
                "The gradients of towers are modulated in a model that was built with "
                f"`{how}`. There is none for {lacking}."
            )
        self.model = model
        self.variables = [model.get_layer(f"{name}_gradient").scale for name in names]

    def settle(self):
        """Makes the variables what the last step made of them.

        On JAX the steps of an epoch hand their state on among themselves, past the
        variables; what is read or set without this is what stood when it began.
        """
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()

    def set(self, scales):
        """One scale for each tower, for the steps to come."""
        self.settle()
        for variable, scale in zip(self.variables, scales, strict=True):
            variable.assign(scale)

    def reset(self):
        """Gradients as they are."""
        for variable in self.variables:
            variable.assign(1.0)
