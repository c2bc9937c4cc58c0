"""The sounds of a mixture: spectrograms, their squared error, their ratio in dB."""

import dataclasses
import itertools
from typing import ClassVar

import keras
import numpy as np
from keras import layers
from keras import ops

from mbm_keras.inputs import output_name
from mbm_keras.layers.spectrogram import stft

_AT_ONCE = 64  # rows whose spectrograms are in memory together


@dataclasses.dataclass(frozen=True)
class Separation:
    """The sounds that a mixture is made of.

    The output is one compressed spectrogram per sound; the target is the sounds
    themselves, `(batch, num_sounds, samples)`.

    Args:
        num_sounds: Number of sounds in a mixture.
        name: Name of the output and of the target.
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the Fourier transform, in samples.
        power: Exponent of the magnitudes.
        any_order: True if the order of the sounds does not matter, as it must be where
            no other input says which sound is which.

    Raises:
        ValueError: If a number is out of range.
    """

    num_sounds: int = 2
    name: str = "speakers"
    window: int = 400
    hop: int = 160
    fft: int = 512
    power: float = 0.3
    any_order: bool = False

    per_step: ClassVar[bool] = True

    def __post_init__(self):
        fits = 0 < self.hop <= self.window <= self.fft
        if not (fits and self.num_sounds >= 1 and self.power > 0):
            raise ValueError(
                "Expected 0 < hop <= window <= fft, num_sounds >= 1, power > 0. "
                f"Received: hop={self.hop}, window={self.window}, fft={self.fft}, "
                f"num_sounds={self.num_sounds}, power={self.power}."
            )

    @property
    def size(self):
        return self.num_sounds

    @property
    def bins(self):
        """Number of frequencies of a spectrogram."""
        return self.fft // 2 + 1

    def head(self, x, name=None):
        """Maps features of every frame to one complex number per sound and frequency.

        Args:
            x: Features, `(batch, frames, width)`.
            name: Name of the output; None for the name of the task.

        Returns:
            `(batch, num_sounds, frames, fft // 2 + 1, 2)` float32, real and imaginary
            part.
        """
        frames, bins = x.shape[1], self.bins
        x = layers.Dense(self.num_sounds * bins * 2, dtype="float32")(x)
        x = layers.Reshape((frames, self.num_sounds, bins, 2), dtype="float32")(x)
        name = output_name(name or self.name)
        return layers.Permute((2, 1, 3, 4), dtype="float32", name=name)(x)

    def output(self, x, name=None):
        """Complex numbers `(batch, num_sounds, frames, bins, 2)` as they are."""
        name = output_name(name or self.name)
        return layers.Identity(dtype="float32", name=name)(x)

    def loss(self):
        """Squared error of spectrograms; the target is the sounds themselves."""
        return SpectrogramLoss(**self._transform(), any_order=self.any_order)

    def metrics(self):
        """Ratio of the energy of spectrograms to that of their error, in dB."""
        return [SpectrogramRatio(**self._transform(), any_order=self.any_order)]

    def chance(self, truth):
        """The loss of a model that always answers with the mean spectrograms.

        Args:
            truth: Sounds, `(rows, num_sounds, samples)`.
        """
        truth, total = np.asarray(truth, "float32"), 0.0
        batches = [truth[i : i + _AT_ONCE] for i in range(0, len(truth), _AT_ONCE)]
        for batch in batches:
            spectrograms = spectrograms_of(batch, **self._transform())
            total = total + ops.sum(spectrograms, axis=0, keepdims=True)
        loss, mean = self.loss(), total / len(truth)
        losses = [
            float(loss(batch, ops.repeat(mean, len(batch), axis=0))) * len(batch)
            for batch in batches
        ]
        return sum(losses) / len(truth)

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets

    def _transform(self):
        return dict(window=self.window, hop=self.hop, fft=self.fft, power=self.power)


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.separation")
class SpectrogramLoss(keras.losses.Loss):
    """Mean squared difference of compressed spectrograms.

        L = mean |S' - S'_hat|^2,   S' = |S| ** power * exp(j phase)

    With `any_order`, the smallest L over all orders of the sounds, row by row.

    Source: Ephrat et al. 2018, "Looking to Listen at the Cocktail Party",
    https://arxiv.org/abs/1804.03619, section 4; and with `any_order` Yu et al. 2017,
    "Permutation Invariant Training of Deep Models for Speaker-Independent Multi-talker
    Speech Separation", https://arxiv.org/abs/1607.00325, section 2. Deviation: a mean
    where the first has a sum.

    Args:
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the Fourier transform, in samples.
        power: Exponent of the magnitudes.
        any_order: True to compare in the order that fits best.
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, sounds, samples)`, the sounds themselves.
        y_pred: `(batch, sounds, frames, fft // 2 + 1, 2)`, compressed spectrograms.
    """

    def __init__(
        self,
        window=400,
        hop=160,
        fft=512,
        power=0.3,
        any_order=False,
        name="spectrogram_loss",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power
        self.any_order = any_order

    def call(self, y_true, y_pred):
        target = spectrograms_of(y_true, self.window, self.hop, self.fft, self.power)
        return squared_errors(target, y_pred, self.any_order)

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
            "any_order": self.any_order,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.separation")
class SpectrogramRatio(keras.metrics.Mean):
    """Ratio of the energy of compressed spectrograms to that of their error, in dB.

        R = 10 log10(mean |S'|^2 / mean |S' - S'_hat|^2),   the mean over the rows

    0 for silence as the answer; for figures to compare with others, see
    `mbm_keras.metrics.separation_scores`.

    Args:
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the Fourier transform, in samples.
        power: Exponent of the magnitudes.
        any_order: True to compare in the order that fits best.
        name: Name of the metric.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(
        self,
        window=400,
        hop=160,
        fft=512,
        power=0.3,
        any_order=False,
        name="decibels",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power
        self.any_order = any_order

    def update_state(self, y_true, y_pred, sample_weight=None):
        target = spectrograms_of(y_true, self.window, self.hop, self.fft, self.power)
        energy = ops.mean(ops.square(target), axis=(1, 2, 3, 4))
        error = squared_errors(target, y_pred, self.any_order)
        ratio = 10.0 * ops.log10((energy + 1e-12) / (error + 1e-12))  # (batch,)
        super().update_state(ratio, sample_weight)

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
            "any_order": self.any_order,
        }


def spectrograms_of(sounds, window, hop, fft, power):
    """Compressed spectrograms of several sounds per row.

    Args:
        sounds: `(batch, sounds, samples)` float32.
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the Fourier transform, in samples.
        power: Exponent of the magnitudes.

    Returns:
        `(batch, sounds, frames, fft // 2 + 1, 2)` float32.
    """
    num_sounds, samples = sounds.shape[1:]
    waves = ops.reshape(sounds, (-1, samples))  # (batch * sounds, samples)
    spectrograms = stft(waves, window, hop, fft, power)
    return ops.reshape(spectrograms, (-1, num_sounds, *spectrograms.shape[1:]))


def squared_errors(target, predicted, any_order=False):
    """Mean squared difference of spectrograms, `(batch,)`.

    Args:
        target: `(batch, sounds, frames, bins, 2)`.
        predicted: The same shape.
        any_order: True for the smallest one over all orders of the sounds.
    """
    if not any_order:
        return ops.mean(ops.square(target - predicted), axis=(1, 2, 3, 4))
    sounds = predicted.shape[1]
    # Every prediction is compared with every target once: (batch, sounds) each.
    errors = [
        ops.mean(ops.square(target - predicted[:, i : i + 1]), axis=(2, 3, 4))
        for i in range(sounds)
    ]
    orders = [
        sum(errors[i][:, j] for i, j in enumerate(order)) / sounds
        for order in itertools.permutations(range(sounds))
    ]
    return ops.min(ops.stack(orders, axis=1), axis=1)  # (batch,)
