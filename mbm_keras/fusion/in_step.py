"""Fusion in step: what happens at the same time is combined before anything is pooled.

Of pooled embeddings, a fusion finds that something is seen and heard at once only if
both say when. Here each step of one meets that of the other.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.dense import dense_each
from mbm_keras.fusion.shapes import check_sequences
from mbm_keras.fusion.tokens import project_tokens
from mbm_keras.layers import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.in_step")
class InStepFusion(keras.layers.Layer):
    """Concatenates sequences of the same seconds step by step, then convolves in time.

        t_i(s)  = W_i x_i(floor((s + 1/2) steps_i / steps))     steps = max_i steps_i
        h_0     = relu(conv([t_1, ..., t_n]))
        h_l     = h_(l-1) + relu(conv(h_(l-1)))                 l = 1 ... num_blocks - 1
        out     = relu(W [mean_s h, max_s h] + b)

    All sequences begin and end together, however many steps they have: those of fewer
    steps are repeated. Lengths are those of the first call; sequences whose length was
    not known then, as of texts, have steps of one length. An embedding is the same at
    all steps.

    Source: Owens and Efros 2018, "Audio-Visual Scene Analysis with Self-Supervised
    Multisensory Features", https://arxiv.org/abs/1804.03641, section 3: the features of
    sight and sound are brought to one rate, concatenated and convolved. Deviations: any
    towers and number of inputs; convolutions over time alone; the maximum as well as
    the mean over time.

    Args:
        units: int > 0, channels of the convolutions, and width of the fused embedding.
        kernel_size: int > 0, steps that a convolution sees.
        num_blocks: int > 0, number of convolutions.

    Call arguments:
        inputs: List of `n` tensors, float: embeddings `(batch, width_i)` or sequences
            `(batch, steps_i, width_i)`.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.
        mask, inputs_mask: Lists of `n` masks, `(batch, steps_i)` bool, False for
            padding, or None. Keras fills in the first if `inputs` is the only argument,
            and the second if `present` is given as well.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings and sequences.
    """

    takes_sequences = True

    def __init__(
        self, units: int, kernel_size: int = 5, num_blocks: int = 2, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.units = units
        self.kernel_size = kernel_size
        self.num_blocks = num_blocks
        self.supports_masking = True

    def build(self, shapes):
        check_sequences(self, shapes)
        self.lengths = _find_lengths(shapes)
        self.projections = dense_each(self, shapes, self.units)
        self.convolutions, channels = [], self.units * len(shapes)
        for _ in range(self.num_blocks):
            convolution = keras.layers.Conv1D(
                self.units,
                self.kernel_size,
                padding="same",
                activation="relu",
                dtype=self.dtype_policy,
            )
            convolution.build((None, None, channels))
            self.convolutions.append(convolution)
            channels = self.units
        self.out = dense(self, 2 * self.units, self.units, "relu")

    def call(self, inputs, present=None, mask=None, inputs_mask=None):
        masks = mask or inputs_mask
        tokens, valid = project_tokens(inputs, self.projections, present, masks)
        tokens, valid = _in_step(tokens, valid, self.lengths)
        x = ops.concatenate(tokens, axis=-1)  # (batch, steps, n * units)
        keep = ops.cast(valid, x.dtype)[:, :, None]  # (batch, steps, 1)
        for layer, convolution in enumerate(self.convolutions):
            changed = convolution(x) * keep
            x = x + changed if layer else changed
        # Nothing is negative: zeros of padding do not count in the maximum.
        pooled = [masked_mean(x, valid), ops.max(x, axis=1)]
        return self.out(ops.concatenate(pooled, axis=-1))  # (batch, units)

    def compute_mask(self, inputs, mask=None):
        return None  # the output has no steps

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_size": self.kernel_size,
            "num_blocks": self.num_blocks,
        }


def _find_lengths(shapes: Sequence[Any]) -> list[int]:
    """Steps of each input that cover the same seconds; 0 for an embedding."""
    steps = [shape[1] if len(shape) == 3 else 0 for shape in shapes]
    longest = max([1, *(number for number in steps if number)])
    return [longest if number is None else number for number in steps]


def _in_step(tokens, valid, lengths):
    """The tokens `(batch, steps, units)` of all inputs at the same steps.

    Also `(batch, steps)` bool, True where a sequence goes on. The first step of a row
    that has embeddings alone is valid too.
    """
    longest = max(1, *lengths)
    numbers = [ops.shape(x)[1] for x in tokens]
    ends = [
        -(-number * longest // length) if length else 1
        for number, length in zip(numbers, lengths, strict=True)
    ]
    position = ops.arange(_maximum(ends))  # (steps,)
    found, goes_on = [], []
    for x, v, number, length in zip(tokens, valid, numbers, lengths, strict=True):
        at = (2 * position + 1) * length // (2 * longest)
        exists = ops.less(at, number)
        at = ops.minimum(at, number - 1)
        v = ops.logical_and(ops.take(v, at, axis=1), exists)  # (batch, steps)
        x = ops.take(x, at, axis=1)
        found.append(ops.where(v[:, :, None], x, ops.zeros_like(x)))
        goes_on.append(v if length else ops.logical_and(v, ops.equal(position, 0)))
    any_goes_on = functools.reduce(ops.logical_or, goes_on)
    keep = any_goes_on[:, :, None]
    return [ops.where(keep, x, ops.zeros_like(x)) for x in found], any_goes_on


def _maximum(numbers):
    """The largest of some numbers, each known or a tensor."""
    known = [number for number in numbers if isinstance(number, int)]
    unknown = [number for number in numbers if not isinstance(number, int)]
    return functools.reduce(ops.maximum, unknown, max(known, default=1))
