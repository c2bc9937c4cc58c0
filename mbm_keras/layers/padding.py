"""Sequences of several lengths in one batch: what is padding, and what is not."""

import keras
from keras import ops


def nonzero_steps(sequence):
    """Which steps are real: those with a value that is not zero.

    Args:
        sequence: `(batch, steps, ...)`; padding is zeros.

    Returns:
        `(batch, steps)` bool.
    """
    return ops.any(sequence != 0, axis=tuple(range(2, len(sequence.shape))))


def nonzero_rows(inputs):
    """Which rows are there: those with a value that is not zero.

    Args:
        inputs: `(batch, ...)`; a row without this input is zeros.

    Returns:
        `(batch,)` bool.
    """
    return ops.any(inputs != 0, axis=tuple(range(1, len(inputs.shape))))


def zero_padding(sequence, mask):
    """Makes the padding zeros again.

    Args:
        sequence: `(batch, steps, ...)`.
        mask: `(batch, steps)` bool; None where there is no padding.
    """
    if mask is None:
        return sequence
    for _ in sequence.shape[2:]:
        mask = ops.expand_dims(mask, -1)
    return sequence * ops.cast(mask, sequence.dtype)


def halve_mask(mask):
    """The mask behind a convolution of stride 2; None stays None."""
    return None if mask is None else mask[:, ::2]


@keras.saving.register_keras_serializable(package="mbm_keras.layers.padding")
class PadSteps(keras.layers.Layer):
    """Appends zeros until the number of steps is a multiple.

    Strided convolutions then cut the same windows, whatever a batch was padded to.

    Args:
        multiple: Of what.

    Input shape:
        `(batch, steps, ...)`.

    Output shape:
        The same, `steps` the next multiple.
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, sequence):
        missing = -ops.shape(sequence)[1] % self.multiple
        rest = [(0, 0)] * (len(sequence.shape) - 2)
        return ops.pad(sequence, [(0, 0), (0, missing), *rest])

    def compute_output_shape(self, shape):
        steps = shape[1]
        if steps is not None:
            steps += -steps % self.multiple
        return (shape[0], steps, *shape[2:])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="mbm_keras.layers.padding")
class AttachMask(keras.layers.Layer):
    """Gives a sequence its Keras mask, and zeros where it is padding.

    Called on `[sequence, mask]`.

    Input shape:
        `(batch, steps, width)` and `(batch, steps)` bool.

    Output shape:
        `(batch, steps, width)`, with the Keras mask `(batch, steps)`.
    """

    def __init__(self, **kwargs):
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
    """Which places of a sequence count: no padding, in rows that have the input.

    Call arguments:
        sequence: `(batch, places, width)`, with its Keras mask or none.
        present: `(batch,)` bool, or None if every row has the input.
        mask, sequence_mask: The padding, filled in by Keras.

    Returns:
        `(batch, places)` bool.
    """

    def call(self, sequence, present=None, mask=None, sequence_mask=None):
        here = ops.ones_like(sequence[:, :, 0], dtype="bool")
        for known in (mask, sequence_mask):
            if known is not None:
                here = ops.logical_and(here, known)
        if present is not None:
            here = ops.logical_and(here, ops.expand_dims(present, 1))
        return here

    def compute_mask(self, sequence, mask=None):
        return None  # it is the mask

    def compute_output_spec(self, sequence, present=None, **masks):
        return keras.KerasTensor(sequence.shape[:2], "bool")
