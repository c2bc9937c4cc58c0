"""Image tower: any network of `keras.applications`, with or without its weights.

The networks and their papers: https://keras.io/api/applications/.
"""

import importlib

import keras
from keras import layers

from mbm_keras.inputs import tower_name

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
    size,
    *,
    application,
    weights=None,
    frozen=False,
    layer=None,
    project=True,
    width=128,
    dropout=0.0,
    pool=True,
    name="image",
):
    """Builds the tower.

    Args:
        size: Height and width of the square picture, in pixels.
        application: A function of `keras.applications`, such as
            `keras.applications.ResNet50`.
        weights: None for random ones, `"imagenet"` to download the published ones,
            or the path of a `.weights.h5` file.
        frozen: True to hold the network still, its batch normalisation in inference
            mode; the dense layer on top of it trains.
        layer: Name of the layer of the network whose grid is taken; None for the last.
            Show, Attend and Tell looks at `"block5_conv4"` of `VGG19`, 14 x 14 x 512.
        project: False for the channels of the grid as they are, without a dense layer.
        width: Size of the output; without `project` the number of channels.
        dropout: Rate of dropout on the last grid.
        pool: True for the mean over the grid, False for one vector per region.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size, size, 3)` uint8 in [0, 255].
        Output: `(batch, width)` float32 if `pool`, else `(batch, regions, width)`
        in rows from the top left.

    Raises:
        ValueError: If the network has no such layer, or without `project` another
            number of channels than `width`.
    """
    image = keras.Input((size, size, 3), dtype="uint8", name=name)
    network = application(
        include_top=False, weights=weights, input_shape=(size, size, 3)
    )
    if layer is not None:
        network = keras.Model(network.inputs, network.get_layer(layer).output)
    network.trainable = not frozen
    # Each network has its own idea of a pixel, kept beside it as a function.
    module = importlib.import_module(application.__module__)
    x = module.preprocess_input(keras.ops.cast(image, "float32"))
    x = network(x)  # (batch, rows, columns, channels)
    if not project and x.shape[-1] != width:
        raise ValueError(
            f"Without `project` the width is that of the grid, {x.shape[-1]} channels. "
            f"Received: width={width}."
        )
    if pool:
        x = layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    else:
        x = layers.Reshape((-1, x.shape[-1]))(x)  # (batch, regions, channels)
    x = layers.Dropout(dropout)(x)
    if project:
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model([image], x, name=tower_name(name))
