"""Noise in the gradients of towers."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.inputs import towers_of


def gradient_noise(
    optimizer: keras.optimizers.Optimizer, model: keras.Model, keys: Sequence[str]
) -> keras.optimizers.Optimizer:
    """An optimizer that adds noise to the gradients of some towers' convolutions.

        g + N(0, std(g)^2)

    g: gradient of a kernel. It is the "GE" of OGM-GE, for use with
    `GradientModulation`: slower towers would otherwise generalize less.

    Source: Peng et al. 2022, "Balanced Multimodal Learning via On-the-fly Gradient
    Modulation", https://arxiv.org/abs/2203.15332, section 3.3. Deviation: the noise is
    a hash of step and position, so that a resumed training has the same noise.

    Args:
        optimizer: A `keras.optimizers.Optimizer` that has not been used.
        model: A model whose inputs have towers.
        keys: Keys of the inputs whose towers get noise.

    Returns:
        An optimizer of the same class and settings, for `compile`.

    Raises:
        ValueError: If there is no tower for a key.
    """
    towers = towers_of(model)
    unknown = [key for key in keys if key not in towers]
    if unknown:
        raise ValueError(
            f"Expected keys of inputs of `{model.name}` with a tower, some of "
            f"{list(towers)}. Received: {unknown}."
        )
    noisy = {
        id(variable)
        for key in keys
        for variable in towers[key].trainable_variables
        if len(variable.shape) == 4
    }

    kind: Any = type(optimizer)

    class GradientNoise(kind):
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


def hashed_normal(shape: Sequence[int], step: Any, salt: int) -> Any:
    """Normal numbers that are a function of step, salt and position alone.

    Args:
        shape: Shape of the result.
        step: An integer scalar tensor.
        salt: An integer.

    Returns:
        A float32 tensor of this shape.
    """
    size = math.prod(shape)
    position = ops.cast(ops.arange(2 * size, dtype="int32"), "uint32")
    key = ops.cast(step, "uint32") * 0x9E3779B1 + (salt * 0x85EBCA77) % 2**32
    bits = position * 0xC2B2AE3D + key
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, shift)) * factor
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, 16))
    # Above 0 and below 1: float32 holds 24 bits.
    uniform = (ops.cast(ops.right_shift(bits, 8), "float32") + 0.5) / 2.0**24
    radius = ops.sqrt(-2.0 * ops.log(uniform[:size]))
    angle = 2.0 * math.pi * uniform[size:]
    return ops.reshape(radius * ops.cos(angle), shape)
