"""How far separated spectrograms are from the sounds that they should be."""

import itertools

import keras
from keras import ops

from mbm_keras.layers.spectrogram import stft


@keras.saving.register_keras_serializable(package="mbm_keras.losses.spectrogram")
class SpectrogramLoss(keras.losses.Loss):
    """Mean squared difference of compressed spectrograms.

        L = mean |S' - S'_hat|^2,   S' = |S| ** power * exp(j phase)

    Source: Ephrat et al. 2018, "Looking to Listen at the Cocktail Party",
    https://arxiv.org/abs/1804.03619, section 4; and with `any_order` Yu et al. 2017,
    "Permutation Invariant Training of Deep Models for Speaker-Independent Multi-talker
    Speech Separation", https://arxiv.org/abs/1607.00325, section 2. Deviation: a mean
    where the first has a sum.

    Args:
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the transform.
        power: Of the magnitude.
        any_order: True to compare in the order that fits best, row by row.
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, sounds, samples)`, the sounds themselves.
        y_pred: `(batch, sounds, frames, fft // 2 + 1, 2)`, compressed.
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
        sounds = y_pred.shape[1]
        waves = ops.reshape(y_true, (-1, y_true.shape[-1]))
        target = stft(waves, self.window, self.hop, self.fft, self.power)
        target = ops.reshape(target, (-1, *y_pred.shape[1:]))
        if not self.any_order:
            return ops.mean(ops.square(target - y_pred), axis=(1, 2, 3, 4))
        # Of every sound to every target, once: (batch, sounds, sounds).
        each = [
            ops.mean(ops.square(target - y_pred[:, i : i + 1]), axis=(2, 3, 4))
            for i in range(sounds)
        ]
        orders = [
            sum(each[i][:, j] for i, j in enumerate(order)) / sounds
            for order in itertools.permutations(range(sounds))
        ]
        return ops.min(ops.stack(orders, axis=1), axis=1)

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
            "any_order": self.any_order,
        }
