"""Noise in the gradients of towers."""

import math

from keras import ops


def gradient_noise(optimizer, model, names):
    """An optimizer that adds noise to the gradients of some towers' convolutions.

        g + N(0, std(g)^2)

    It is the "GE" of OGM-GE, to be used with `GradientModulation`: slower towers would
    otherwise generalise less.

    Source: Peng et al. 2022, "Balanced Multimodal Learning via On-the-fly Gradient
    Modulation", https://arxiv.org/abs/2203.15332, section 3.3. Deviation: the draws are
    hashes of step and place, so that a resumed training draws the same.

    Args:
        optimizer: A `keras.optimizers.Optimizer` that has not been used.
        model: A model whose towers are called `<name>_tower`.
        names: Names of the inputs whose towers get it.

    Returns:
        An optimizer of the same kind and settings, for `compile`.

    Raises:
        ValueError: If there is no tower of a name.
    """
    towers = {layer.name: layer for layer in model.layers}
    unknown = [name for name in names if f"{name}_tower" not in towers]
    if unknown:
        raise ValueError(f"`{model.name}` has no tower of {unknown}.")
    noisy = {
        id(variable)
        for name in names
        for variable in towers[f"{name}_tower"].trainable_variables
        if len(variable.shape) == 4
    }

    class GradientNoise(type(optimizer)):
        """The optimizer, with noise in some gradients."""

        def build(self, variables):
            super().build(variables)
            self._noisy = [id(v) in noisy for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            if self._noisy[index]:
                noise = hashed_normal(gradient.shape, self.iterations, index)
                gradient = gradient + ops.std(gradient) * ops.cast(
                    noise, gradient.dtype
                )
            super().update_step(gradient, variable, learning_rate)

    return GradientNoise.from_config(optimizer.get_config())


def hashed_normal(shape, step, salt):
    """Normal numbers that are a function of step, salt and place alone.

    Args:
        shape: Of the numbers.
        step: An integer scalar tensor.
        salt: An integer.

    Returns:
        A float32 tensor.
    """
    size = math.prod(shape)
    place = ops.cast(ops.arange(2 * size, dtype="int32"), "uint32")
    key = ops.cast(step, "uint32") * 0x9E3779B1 + (salt * 0x85EBCA77) % 2**32
    bits = place * 0xC2B2AE3D + key
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, shift)) * factor
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, 16))
    # Between 0 and 1, never either: 24 bits are what float32 holds.
    uniform = (ops.cast(ops.right_shift(bits, 8), "float32") + 0.5) / 2.0**24
    radius = ops.sqrt(-2.0 * ops.log(uniform[:size]))
    angle = 2.0 * math.pi * uniform[size:]
    return ops.reshape(radius * ops.cos(angle), shape)
