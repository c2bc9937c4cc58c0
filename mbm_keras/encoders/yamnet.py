"""Sound encoder: YAMNet, a MobileNet over log-mel spectrograms.

Source: the authors' code, https://github.com/tensorflow/models/tree/master/research/
audioset/yamnet; Howard et al. 2017, "MobileNets: Efficient Convolutional Neural
Networks for Mobile Vision Applications", https://arxiv.org/abs/1704.04861, section 3.
Deviation: none for the 96 frames of a patch; longer spectrograms are taken whole. The
layers have the names of the authors' variables, with dots for slashes:
`mbm_keras.weights.fill_by_path` reads their `yamnet.h5`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.preset import Preset

EPSILON = 1e-4  # of the normalizations
# Stride and channels of each layer; the first one is a plain convolution.
BLOCKS = (
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *[(1, 512)] * 5,
    (2, 1024),
    (1, 1024),
)
PRESETS = {
    "tiny": Preset(dict(num_mel_bins=8, blocks=((2, 4), (1, 6), (2, 8)))),
    "yamnet": Preset(
        dict(num_classes=521),
        # 3,751,369 with the statistics of the normalizations, as it is published.
        parameters=3_729_481,
        source="https://github.com/tensorflow/models/tree/master/research/audioset/"
        "yamnet",
    ),
}


def build(
    *,
    num_mel_bins: int = 64,
    blocks: Sequence[tuple[int, int]] = BLOCKS,
    num_classes: int | None = None,
    name: str = "yamnet",
) -> keras.Model:
    """Builds the encoder.

    Args:
        num_mel_bins: int > 0, number of mel bands.
        blocks: Stride and channels of each layer.
        num_classes: int > 0, units of the published classifier, 521 sounds of AudioSet;
            None for none.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `spectrogram`: `(batch, frames, num_mel_bins)` float32, as
        `mbm_keras.preprocessing.YamnetLogMel` gives it. A patch of the authors has 96
        frames.
        Output `sequence`: `(batch, steps, channels)` float32, the mean of the bands of
        each step, 32 frames as published.
        Output `embedding`: `(batch, channels)` float32, the mean of the steps.
        Output `logits`: `(batch, num_classes)` float32, with `num_classes`.

    Raises:
        ValueError: If there is no layer.
    """
    if not blocks:
        raise ValueError(f"Expected a layer or more. Received: blocks={tuple(blocks)}.")
    spectrogram = keras.Input((None, num_mel_bins), name="spectrogram")
    x = ops.expand_dims(spectrogram, -1)  # (batch, frames, num_mel_bins, 1)
    for i, (stride, filters) in enumerate(blocks):
        at = f"layer{i + 1}"
        if i == 0:
            x = _convolve(x, filters, 3, stride, f"{at}.conv")
            continue
        depthwise = f"{at}.depthwise_conv"
        x = layers.DepthwiseConv2D(
            3, stride, padding="same", use_bias=False, name=depthwise
        )(x)
        x = _activate(x, depthwise)
        x = _convolve(x, filters, 1, 1, f"{at}.pointwise_conv")
    sequence = ops.mean(x, axis=2)  # (batch, steps, channels)
    embedding = layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    outputs = {"sequence": sequence, "embedding": embedding}
    if num_classes:
        outputs["logits"] = layers.Dense(num_classes, name="dense")(embedding)
    return keras.Model([spectrogram], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from a configuration.

    Args:
        config: `num_mel_bins` and `num_classes`, each optional.
    """
    return {
        "num_mel_bins": config.get("num_mel_bins", 64),
        "num_classes": config.get("num_classes"),
    }


def _convolve(x, filters, kernel, stride, name):
    x = layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=False, name=name
    )(x)
    return _activate(x, name)


def _activate(x, name):
    x = layers.BatchNormalization(scale=False, epsilon=EPSILON, name=f"{name}.bn")(x)
    return layers.ReLU()(x)
