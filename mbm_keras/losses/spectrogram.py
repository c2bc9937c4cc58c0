"""Loss between separated spectrograms and the waves of the sources."""

import itertools

import keras
from keras import ops

from mbm_keras.layers.spectrogram import stft


@keras.saving.register_keras_serializable(package="mbm_keras.losses.spectrogram")
class SpectrogramLoss(keras.losses.Loss):
    """Mean squared error of compressed spectrograms.

        L  = mean |S' - S'_hat|^2,   S' = |S| ** power * exp(j phase)

    With `any_order` it is, for each row, the minimum over all orders of the predicted
    sources.

    Source: Ephrat et al. 2018, "Looking to Listen at the Cocktail Party",
    https://arxiv.org/abs/1804.03619, section 4; `any_order`: Yu et al. 2017,
    "Permutation Invariant Training of Deep Models for Speaker-Independent Multi-talker
    Speech Separation", https://arxiv.org/abs/1607.00325, section 2. Deviation: a mean
    instead of the sum of the first.

    Args:
        window: int > 0, length of the Hann window in samples.
        hop: int > 0, distance between windows in samples.
        fft: int >= window, length of the transform in samples.
        power: float > 0, exponent of the magnitude.
        any_order: bool. True to compare each row in the order of sources with the
            smallest error.
        name: str, name of the loss.
        reduction: str or None, over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, sources, samples)` float32, the waves.
        y_pred: `(batch, sources, frames, fft // 2 + 1, 2)` float32, compressed
            spectrograms.

    Returns:
        A scalar float32, or `(batch,)` if `reduction` is None.
    """

    def __init__(
        self,
        window: int = 400,
        hop: int = 160,
        fft: int = 512,
        power: float = 0.3,
        any_order: bool = False,
        name: str = "spectrogram_loss",
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.window = window
        self.hop = hop
        self.fft = fft
        self.power = power
        self.any_order = any_order

    def call(self, y_true, y_pred):
        sources = y_pred.shape[1]
        waves = ops.reshape(
            y_true, (-1, y_true.shape[-1])
        )  # (batch * sources, samples)
        target = stft(waves, self.window, self.hop, self.fft, self.power)
        # (batch, sources, frames, fft // 2 + 1, 2)
        target = ops.reshape(target, (-1, *y_pred.shape[1:]))
        if not self.any_order:
            return ops.mean(ops.square(target - y_pred), axis=(1, 2, 3, 4))
        # The error of each predicted source to all targets: (batch, sources) each.
        errors = [
            ops.mean(ops.square(target - y_pred[:, i : i + 1]), axis=(2, 3, 4))
            for i in range(sources)
        ]
        orders = [
            sum(errors[i][:, j] for i, j in enumerate(order)) / sources
            for order in itertools.permutations(range(sources))
        ]
        return ops.min(ops.stack(orders, axis=1), axis=1)  # (batch,)

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "hop": self.hop,
            "fft": self.fft,
            "power": self.power,
            "any_order": self.any_order,
        }
