"""Crops of long inputs: one at random to learn from, several to answer from."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.layers.masked_mean import masked_mean


@keras.saving.register_keras_serializable(package="mbm_keras.layers.crops")
class TakeCrops(keras.layers.Layer):
    """Takes crops in time, at the same moments of all inputs.

    In training a row gives one crop, whose start is random: the next epoch sees another
    one. Otherwise it gives `num_crops` of them, from its start to its end at even
    distances; a single one is from the middle.

    Source: Simonyan and Zisserman 2014, "Two-Stream Convolutional Networks for Action
    Recognition in Videos", https://arxiv.org/abs/1406.2199, section 4. Deviation: any
    sequences, several of them in step.

    Args:
        num_crops: int > 0, number of crops outside training.
        share: float in (0, 1], length of a crop as a share of the input.
        seed: int, seed of the random starts; None for a random one.

    Call arguments:
        inputs: List of tensors `(batch, steps_i, ...)` that cover the same time.

    Returns:
        List of tensors `(batch, crops, share * steps_i, ...)`, with one crop in
        training and `num_crops` otherwise.

    Raises:
        ValueError: If `num_crops` is below 1 or `share` is not in (0, 1].
    """

    def __init__(
        self, num_crops: int, share: float, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if num_crops < 1 or not 0 < share <= 1:
            raise ValueError(
                "Expected num_crops >= 1 and 0 < share <= 1. Received: "
                f"num_crops={num_crops}, share={share}."
            )
        self.num_crops = num_crops
        self.share = share
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        batch = ops.shape(inputs[0])[0]
        if training:
            start = keras.random.uniform((batch, 1), seed=self.random)
        elif self.num_crops == 1:
            start = ops.full((batch, 1), 0.5)
        else:
            step = 1.0 / (self.num_crops - 1)
            start = ops.arange(self.num_crops, dtype="float32") * step
            start = ops.broadcast_to(start[None], (batch, self.num_crops))
        return [self._take(x, start) for x in inputs]

    def _take(self, x, start):
        """The crops of one input at `start`, in [0, 1] of where one may begin."""
        steps, length = x.shape[1], crop_length(x.shape[1], self.share)
        first = ops.cast(ops.round(start * (steps - length)), "int32")  # (batch, crops)
        index = first[:, :, None] + ops.arange(length)  # (batch, crops, length)
        rows = ops.arange(ops.shape(x)[0])[:, None, None] * steps
        flat = ops.reshape(x, (-1, *x.shape[2:]))  # (batch * steps, ...)
        return ops.take(flat, rows + index, axis=0)

    def compute_output_spec(self, inputs, training=False):
        return [
            keras.KerasTensor(
                (x.shape[0], None, crop_length(x.shape[1], self.share), *x.shape[2:]),
                x.dtype,
            )
            for x in inputs
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "num_crops": self.num_crops,
            "share": self.share,
            "seed": self.seed,
        }


def crop_length(steps: int, share: float) -> int:
    """Steps of a crop, at least one."""
    return max(1, round(share * steps))


def split_crops(
    inputs: Sequence[Any], present: Any, num_crops: int, share: float
) -> tuple[list[Any], Any, Any]:
    """Crops of the inputs of a functional model, each as a row of its own.

    Args:
        inputs: `n` tensors `(batch, steps_i, ...)` that cover the same time.
        present: `(batch, n)` bool, True where a row has the input; None if all have it.
        num_crops: As for `TakeCrops`.
        share: As for `TakeCrops`.

    Returns:
        The crops, `(batch * crops, share * steps_i, ...)`; which of them have each
        input, `(batch * crops, n)` bool; and which have any, `(batch, crops)` bool, for
        `mean_of_crops`. Where the only crop is everything, the inputs, `present` and
        None.
    """
    if num_crops == 1 and share == 1:
        return list(inputs), present, None
    crops = TakeCrops(num_crops, share)(list(inputs))  # (batch, crops, steps_i, ...)
    found = crops_present(crops, present)  # (batch, crops, n)
    kept = ops.reshape(found, (-1, len(inputs)))  # (batch * crops, n)
    flat = [ops.reshape(x, (-1, *x.shape[2:])) for x in crops]
    return flat, kept, ops.any(found, axis=2)


def mean_of_crops(x: Any, valid: Any) -> Any:
    """The mean over the crops of each row, before a head.

    A head is linear: its answer for the mean is the mean of its answers.

    Args:
        x: `(batch * crops, width)`.
        valid: What `split_crops` returned last; None where there are no crops.

    Returns:
        `(batch, width)`.
    """
    return x if valid is None else MeanOfCrops()(x, valid)


def crops_present(crops: Sequence[Any], present: Any = None) -> Any:
    """Which crops have each input: a crop of padding has none.

    Args:
        crops: What `TakeCrops` returned, `n` tensors `(batch, crops, steps_i, ...)`.
        present: `(batch, n)` bool, True where a row has the input; None if all have it.

    Returns:
        `(batch, crops, n)` bool.
    """
    found = [ops.any(x != 0, axis=tuple(range(2, len(x.shape)))) for x in crops]
    found = ops.stack(found, axis=2)
    if present is None:
        return found
    return ops.logical_and(found, ops.expand_dims(present, 1))


@keras.saving.register_keras_serializable(package="mbm_keras.layers.crops")
class MeanOfCrops(keras.layers.Layer):
    """The mean over the crops of a row.

    Call arguments:
        x: `(batch * crops, width)`, float.
        valid: `(batch, crops)` bool, which crops have something in them. Where none
            has, all count.

    Returns:
        `(batch, width)`, float.
    """

    def call(self, x, valid):
        rows = ops.shape(valid)[0]
        each = ops.reshape(x, (rows, -1, x.shape[-1]))
        none = ops.logical_not(ops.any(valid, axis=1, keepdims=True))
        return masked_mean(each, ops.logical_or(valid, none))

    def compute_output_spec(self, x, valid):
        return keras.KerasTensor((valid.shape[0], x.shape[-1]), x.dtype)
