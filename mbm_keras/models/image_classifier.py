"""Image classifier: convolution and pooling in turn, then dense layers.

The layout of LeCun et al. 1998, "Gradient-Based Learning Applied to Document
Recognition", https://doi.org/10.1109/5.726791, section 2. Deviations: ReLU and
maximum pooling for their sigmoid and mean, batch normalisation, dropout.
"""

import keras
from keras import layers

from mbm_keras.tasks import classification

PRESETS = {
    "tiny": dict(image_size=16, num_classes=3, filters=(4, 8), units=8),
    "base": dict(image_size=128, num_classes=10),
}


def build(
    *,
    image_size,
    num_classes,
    filters=(32, 64, 128),
    units=128,
    dropout=0.3,
    name="image_classifier",
):
    """Builds the model.

    Args:
        image_size: Height and width of the square picture, in pixels.
        num_classes: Number of labels.
        filters: Channels of each convolution; each is followed by a pooling that
            halves the picture.
        units: Size of the dense layer.
        dropout: Rate of dropout before the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name:
            image: `(batch, image_size, image_size, 3)` uint8 in [0, 255].
        Outputs, by name:
            label: `(batch, num_classes)` float32 logits.

    Raises:
        ValueError: If the picture is too small to be halved so often.
    """
    if image_size < 2 ** len(filters):
        raise ValueError(
            f"{len(filters)} poolings halve the picture {len(filters)} times, so "
            f"`image_size` must be at least {2 ** len(filters)}. "
            f"Received: image_size={image_size}."
        )
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for channels in filters:  # each pass halves height and width
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)  # (batch, regions * filters[-1])
    x = layers.Dense(units, activation="relu")(x)  # (batch, units)
    x = layers.Dropout(dropout)(x)
    label = classification.head(x, num_classes)  # (batch, num_classes)
    return keras.Model([image], {"label": label}, name=name)
