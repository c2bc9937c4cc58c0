"""Image encoder: ResNet as torchvision and timm publish it, wide ones too.

Source: He et al. 2015, "Deep Residual Learning for Image Recognition",
https://arxiv.org/abs/1512.03385. Deviation: as in torchvision, the convolution of size
3 of a bottleneck has the stride, not the first one. Layers have the names of the
tensors of torchvision's state dicts, which are those of timm's `resnet*` too.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mbm_keras.preset import Preset

EPSILON = 1e-5  # of the normalizations, as in torchvision
_SOURCE = "https://docs.pytorch.org/vision/stable/models/resnet.html"
_SIZES = {
    "resnet18": ((2, 2, 2, 2), False, 64, 11_689_512),
    "resnet34": ((3, 4, 6, 3), False, 64, 21_797_672),
    "resnet50": ((3, 4, 6, 3), True, 64, 25_557_032),
    "resnet101": ((3, 4, 23, 3), True, 64, 44_549_160),
    "resnet152": ((3, 8, 36, 3), True, 64, 60_192_808),
    "wide_resnet50_2": ((3, 4, 6, 3), True, 128, 68_883_240),
    "wide_resnet101_2": ((3, 4, 23, 3), True, 128, 126_886_696),
}
PRESETS = {
    "tiny": Preset(dict(num_blocks=(1, 1), bottleneck=True, filters=8, base_filters=8)),
    **{
        name: Preset(
            dict(
                num_blocks=blocks,
                bottleneck=bottleneck,
                base_filters=base,
                num_classes=1000,
            ),
            parameters,
            _SOURCE,
        )
        for name, (blocks, bottleneck, base, parameters) in _SIZES.items()
    },
}


def build(
    *,
    num_blocks: Sequence[int] = (3, 4, 6, 3),
    bottleneck: bool = True,
    filters: int = 64,
    base_filters: int = 64,
    num_classes: int | None = None,
    name: str = "resnet",
) -> keras.Model:
    """Builds the encoder.

    Args:
        num_blocks: ints > 0, residual blocks of each stage.
        bottleneck: bool. True for blocks of three convolutions whose output is four
            times as wide, False for blocks of two.
        filters: int > 0, channels of the stem and of the first stage; each further
            stage doubles them.
        base_filters: int > 0, channels within the bottlenecks of the first stage;
            `2 * filters` in the wide networks.
        num_classes: int > 0, units of the published classifier; None for none.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, 3)` float32, RGB in [0, 1] less the mean
        (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225).
        Output `sequence`: `(batch, regions, channels)` float32, row by row from the top
        left; each side of the image is divided by `2 ** (1 + len(num_blocks))` and
        rounded up. There are 2,048 channels with 50 layers or more, 512 with fewer.
        Output `embedding`: `(batch, channels)` float32, their mean.
        Output `logits`: `(batch, num_classes)` float32, with `num_classes`.

    Raises:
        ValueError: If there is no stage.
    """
    if not num_blocks or min(num_blocks) < 1:
        raise ValueError(
            "Expected one stage or more, of one block or more. "
            f"Received: num_blocks={tuple(num_blocks)}."
        )
    pixels = keras.Input((None, None, 3), name="pixels")
    x = _convolve(pixels, filters, 7, 2, "conv1", "bn1")
    x = layers.ReLU()(x)
    x = layers.ZeroPadding2D(1)(x)  # no value is below 0 here
    x = layers.MaxPooling2D(3, 2)(x)
    for stage, repeats in enumerate(num_blocks):
        scale = 2**stage
        for block in range(repeats):
            stride = 2 if stage > 0 and block == 0 else 1
            at = f"layer{stage + 1}.{block}"
            if bottleneck:
                x = _bottleneck(
                    x, base_filters * scale, 4 * filters * scale, stride, at
                )
            else:
                x = _basic(x, filters * scale, stride, at)
    outputs = {
        "sequence": layers.Reshape((-1, x.shape[-1]))(x),
        "embedding": layers.GlobalAveragePooling2D()(x),
    }
    if num_classes:
        outputs["logits"] = layers.Dense(num_classes, name="fc")(outputs["embedding"])
    return keras.Model([pixels], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the `config.json` of timm.

    Args:
        config: `architecture`, one of `PRESETS`, before a dot if there is one, and
            `num_classes`.

    Raises:
        ValueError: If the architecture is another one.
    """
    architecture = str(config.get("architecture")).split(".")[0]
    if architecture not in _SIZES:
        raise ValueError(
            f"Expected an architecture of: {', '.join(_SIZES)}. "
            f"Received: architecture={architecture}."
        )
    classes = config.get("num_classes", 1000)
    return {**PRESETS[architecture].arguments, "num_classes": classes or None}


def _basic(x, channels, stride, name):
    y = _convolve(x, channels, 3, stride, f"{name}.conv1", f"{name}.bn1")
    y = layers.ReLU()(y)
    y = _convolve(y, channels, 3, 1, f"{name}.conv2", f"{name}.bn2")
    return _add(x, y, stride, name)


def _bottleneck(x, channels, width, stride, name):
    y = _convolve(x, channels, 1, 1, f"{name}.conv1", f"{name}.bn1")
    y = layers.ReLU()(y)
    y = _convolve(y, channels, 3, stride, f"{name}.conv2", f"{name}.bn2")
    y = layers.ReLU()(y)
    y = _convolve(y, width, 1, 1, f"{name}.conv3", f"{name}.bn3")
    return _add(x, y, stride, name)


def _add(x, y, stride, name):
    """The residual connection, by a convolution where the shapes differ."""
    if stride > 1 or x.shape[-1] != y.shape[-1]:
        name = f"{name}.downsample"
        x = _convolve(x, y.shape[-1], 1, stride, f"{name}.0", f"{name}.1")
    return layers.ReLU()(layers.Add()([x, y]))


def _convolve(x, filters, kernel, stride, name, normalization):
    # Padded alike on both sides, which "same" does not do with a stride.
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=normalization)(
        x
    )
