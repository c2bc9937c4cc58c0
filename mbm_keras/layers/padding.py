"""Sequences of several lengths in one batch: masks, and padding of zeros."""

from typing import Any

import keras
from keras import ops


def nonzero_steps(sequence: Any) -> Any:
    """Steps that are not padding: those with a value other than zero.

    Args:
        sequence: `(batch, steps, ...)`; padding is zeros.

    Returns:
        `(batch, steps)` bool.
    """
    return ops.any(sequence != 0, axis=tuple(range(2, len(sequence.shape))))


def nonzero_rows(inputs: Any) -> Any:
    """Rows that have the input: those with a value other than zero.

    Args:
        inputs: `(batch, ...)`; a row without this input is zeros.

    Returns:
        `(batch,)` bool.
    """
    return ops.any(inputs != 0, axis=tuple(range(1, len(inputs.shape))))


def zero_padding(sequence: Any, mask: Any) -> Any:
    """Sets the padding to zeros.

    Args:
        sequence: `(batch, steps, ...)`, finite.
        mask: `(batch, steps)` bool, False for padding; None if there is no padding.

    Returns:
        The shape and dtype of `sequence`.
    """
    if mask is None:
        return sequence
    for _ in sequence.shape[2:]:
        mask = ops.expand_dims(mask, -1)  # (batch, steps, 1, ...)
    return sequence * ops.cast(mask, sequence.dtype)


def halve_mask(mask: Any) -> Any:
    """The mask after a convolution of stride 2.

    Args:
        mask: `(batch, steps)` bool, or None.

    Returns:
        `(batch, ceil(steps / 2))` bool, or None.
    """
    return None if mask is None else mask[:, ::2]


@keras.saving.register_keras_serializable(package="mbm_keras.layers.padding")
class PadSteps(keras.layers.Layer):
    """Appends zeros until the number of steps is a multiple of a number.

    The windows of strided convolutions then do not depend on how far a batch was
    padded.

    Args:
        multiple: int > 0, the number.

    Call arguments:
        sequence: `(batch, steps, ...)`.

    Returns:
        `(batch, padded_steps, ...)` of the same dtype.
    """

    def __init__(self, multiple: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, sequence):
        missing = -ops.shape(sequence)[1] % self.multiple
        other_axes = [(0, 0)] * (len(sequence.shape) - 2)
        return ops.pad(sequence, [(0, 0), (0, missing), *other_axes])

    def compute_output_shape(self, shape):
        steps = shape[1]
        if steps is not None:
            steps += -steps % self.multiple
        return (shape[0], steps, *shape[2:])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.padding")
class AttachMask(keras.layers.Layer):
    """Makes a tensor the Keras mask of a sequence, and sets its padding to zeros.

    Call arguments:
        inputs: A list of the sequence, `(batch, steps, width)` and finite, and the
            mask, `(batch, steps)` bool, False for padding.

    Returns:
        `(batch, steps, width)` with the Keras mask `(batch, steps)`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return zero_padding(*inputs)

    def compute_mask(self, inputs, mask=None):
        return inputs[1]

    def compute_output_shape(self, shapes):
        return shapes[0]


@keras.saving.register_keras_serializable(package="mbm_keras.layers.padding")
class ValidMask(keras.layers.Layer):
    """Steps of a sequence that are neither padding nor in a row without the input.

    Call arguments:
        sequence: `(batch, steps, width)`, with its Keras mask or none.
        present: `(batch,)` bool, True where a row has the input; None if all have it.
        mask, sequence_mask: `(batch, steps)` bool, False for padding. Keras fills in
            the first if `sequence` is the only argument, and the second if `present`
            is given as well.

    Returns:
        `(batch, steps)` bool.
    """

    def call(self, sequence, present=None, mask=None, sequence_mask=None):
        valid = ops.ones_like(sequence[:, :, 0], dtype="bool")  # (batch, steps)
        for padding_mask in (mask, sequence_mask):
            if padding_mask is not None:
                valid = ops.logical_and(valid, padding_mask)
        if present is not None:
            valid = ops.logical_and(valid, ops.expand_dims(present, 1))
        return valid

    def compute_mask(self, sequence, mask=None):
        return None  # the output is the mask

    def compute_output_spec(self, sequence, present=None, **masks):
        return keras.KerasTensor(sequence.shape[:2], "bool")
