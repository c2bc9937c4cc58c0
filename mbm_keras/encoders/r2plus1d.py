"""Clip encoder: R(2+1)D as torchvision publishes it, trained on Kinetics-400.

A convolution over space and time is a convolution over space, then one over time, with

    M = floor(27 i o / (9 i + 3 o))

channels between them for i channels before and o after, so that both together have as
many weights as the one that they replace.

Source: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action
Recognition", https://arxiv.org/abs/1711.11248, section 3.5. Deviation: as in
torchvision, both pairs of a block have the M of the first. Layers have the names of the
tensors of torchvision's `r2plus1d_18`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mbm_keras.preset import Preset

# Of the pixels in [0, 1], by channel: what the published weights were trained with.
MEAN = (0.43216, 0.394666, 0.37645)
DEVIATION = (0.22803, 0.22145, 0.216989)
EPSILON = 1e-5  # of the normalizations, as in torchvision
PRESETS = {
    "tiny": Preset(dict(num_blocks=(1, 1), filters=4, stem_filters=3)),
    "r2plus1d_18": Preset(
        dict(num_classes=400),
        parameters=31_505_325,
        source="https://docs.pytorch.org/vision/stable/models/video_resnet.html",
    ),
}


def build(
    *,
    num_blocks: Sequence[int] = (2, 2, 2, 2),
    filters: int = 64,
    stem_filters: int = 45,
    num_classes: int | None = None,
    name: str = "r2plus1d",
) -> keras.Model:
    """Builds the encoder.

    Args:
        num_blocks: ints > 0, residual blocks of each stage.
        filters: int > 0, channels of the first stage; each further stage doubles them.
        stem_filters: int > 0, channels between the two convolutions of the stem.
        num_classes: int > 0, units of the published classifier; None for none.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `clip`: `(batch, frames, height, width, 3)` float32, RGB in [0, 1] less
        `MEAN`, divided by `DEVIATION`.
        Output `sequence`: `(batch, steps, channels)` float32, the mean of the regions
        of each step. The frames are divided by `2 ** (len(num_blocks) - 1)` and rounded
        up.
        Output `embedding`: `(batch, channels)` float32, the mean of the steps.
        Output `logits`: `(batch, num_classes)` float32, with `num_classes`.

    Raises:
        ValueError: If there is no stage.
    """
    if not num_blocks or min(num_blocks) < 1:
        raise ValueError(
            "Expected one stage or more, of one block or more. "
            f"Received: num_blocks={tuple(num_blocks)}."
        )
    clip = keras.Input((None, None, None, 3), name="clip")
    x = _space(clip, stem_filters, 7, 2, "stem.0", "stem.1")
    x = layers.ReLU()(x)
    x = layers.ReLU()(_time(x, filters, 1, "stem.3", "stem.4"))
    for stage, repeats in enumerate(num_blocks):
        for block in range(repeats):
            stride = 2 if stage > 0 and block == 0 else 1
            at = f"layer{stage + 1}.{block}"
            x = _block(x, filters * 2**stage, stride, at)
    # (batch, steps, height, width, channels)
    sequence = keras.ops.mean(x, axis=(2, 3))  # (batch, steps, channels)
    embedding = layers.GlobalAveragePooling1D()(sequence)  # (batch, channels)
    outputs = {"sequence": sequence, "embedding": embedding}
    if num_classes:
        outputs["logits"] = layers.Dense(num_classes, name="fc")(embedding)
    return keras.Model([clip], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from a configuration.

    Args:
        config: `architecture`, which is `"r2plus1d_18"`, and `num_classes`.

    Raises:
        ValueError: If the architecture is another one.
    """
    if config.get("architecture") != "r2plus1d_18":
        raise ValueError(
            "Expected the architecture r2plus1d_18. "
            f"Received: architecture={config.get('architecture')}."
        )
    return {"num_classes": config.get("num_classes", 400) or None}


def _block(x, channels, stride, name):
    before = x.shape[-1]
    between = 27 * before * channels // (9 * before + 3 * channels)
    y = _pair(x, between, channels, stride, f"{name}.conv1")
    y = _pair(layers.ReLU()(y), between, channels, 1, f"{name}.conv2")
    if stride > 1 or before != channels:
        name = f"{name}.downsample"
        x = layers.Conv3D(channels, 1, stride, use_bias=False, name=f"{name}.0")(x)
        x = _normalize(x, f"{name}.1")
    return layers.ReLU()(layers.Add()([x, y]))


def _pair(x, between, channels, stride, name):
    x = _space(x, between, 3, stride, f"{name}.0.0", f"{name}.0.1")
    return _time(layers.ReLU()(x), channels, stride, f"{name}.0.3", f"{name}.1")


def _space(x, filters, kernel, stride, name, normalization):
    # Padded alike on both sides, which "same" does not do with a stride.
    pad = kernel // 2
    x = layers.ZeroPadding3D((0, pad, pad))(x)
    kernel, strides = (1, kernel, kernel), (1, stride, stride)
    x = layers.Conv3D(filters, kernel, strides, use_bias=False, name=name)(x)
    return _normalize(x, normalization)


def _time(x, filters, stride, name, normalization):
    x = layers.ZeroPadding3D((1, 0, 0))(x)
    kernel, strides = (3, 1, 1), (stride, 1, 1)
    x = layers.Conv3D(filters, kernel, strides, use_bias=False, name=name)(x)
    return _normalize(x, normalization)


def _normalize(x, name):
    return layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=name)(x)
