"""Image tower: any network of `keras.applications`, with or without its weights.

Source: the paper of each network, https://keras.io/api/applications/. Deviation: a
dense layer instead of the classifier.
"""

import importlib
from collections.abc import Callable

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import PixelValues

PRESETS = {
    "tiny": dict(size=32, application=keras.applications.MobileNetV3Small, width=8),
    "mobilenet": dict(
        size=224,
        application=keras.applications.MobileNetV3Small,
        weights="imagenet",
        frozen=True,
    ),
}


def build(
    size: int,
    *,
    application: Callable[..., keras.Model],
    weights: str | None = None,
    frozen: bool = False,
    layer: str | None = None,
    project: bool = True,
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "image",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, height and width of the square image in pixels.
        application: A function of `keras.applications`, such as
            `keras.applications.ResNet50`.
        weights: None for random weights, `"imagenet"` to download the published ones,
            or the path of a `.weights.h5` file.
        frozen: bool. True to keep the weights of the network constant and its batch
            normalization in inference mode; only the dense layer after it trains.
        layer: str, name of the layer of the network whose feature map is used; None for
            the last. Show, Attend and Tell uses `"block5_conv4"` of `VGG19`, 14 x 14 x
            512.
        project: bool. False for the channels of the feature map, without a dense layer.
        width: int > 0, width of the output; the number of channels if not `project`.
        dropout: float in [0, 1), dropout rate of the last feature map.
        pool: bool. True for the mean over the feature map, False for one vector per
            region.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` in [0, 255] or [0, 1].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`, row
        by row from the top left.

    Raises:
        ValueError: If the network does not have this layer, or `width` is not the
            number of channels and `project` is False.
    """
    image = keras.Input((size, size, 3), dtype="float32", name=name)
    network = application(
        include_top=False, weights=weights, input_shape=(size, size, 3)
    )
    if layer is not None:
        network = keras.Model(network.inputs, network.get_layer(layer).output)
    network.trainable = not frozen
    # The module of each network has the function that scales pixels for it.
    module = importlib.import_module(application.__module__)
    x = module.preprocess_input(PixelValues()(image))
    x = network(x)  # (batch, rows, columns, channels)
    channels = x.shape[-1]
    if not project and channels != width:
        raise ValueError(
            "Expected a `width` equal to the number of channels, because `project` is "
            f"False. Received: width={width}, channels={channels}."
        )
    if pool:
        x = layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    else:
        x = layers.Reshape((-1, channels))(x)  # (batch, regions, channels)
    x = layers.Dropout(dropout)(x)
    if project:
        x = layers.Dense(width, activation="relu")(x)  # (batch, ..., width)
    return keras.Model([image], x, name=tower_name(name))
