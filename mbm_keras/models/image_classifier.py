"""Image classifier: convolution and pooling in turn, then dense layers.

The layout of LeCun et al. 1998, "Gradient-Based Learning Applied to Document
Recognition", https://doi.org/10.1109/5.726791, section 2. Deviations: ReLU and
maximum pooling for their sigmoid and mean, batch normalization, dropout.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import PixelValues
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import list_inputs

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=16))],
            task=Classification(3),
            filters=(4, 8),
            units=8,
        )
    ),
    "base": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=128))],
            task=Classification(10),
        )
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    if [spec.modality for spec in inputs] != ["image"] or set(inputs[0].sizes) != {
        "size"
    }:
        raise ValueError(
            "Expected one image and no other input, with the size: size. Received: "
            f"inputs={list_inputs(inputs)}, "
            f"sizes={[dict(spec.sizes) for spec in inputs]}."
        )
    check_one_output(task)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    filters: Sequence[int] = (32, 64, 128),
    units: int = 128,
    dropout: float = 0.3,
    name: str = "image_classifier",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of one image.
        task: A task with one output per row.
        filters: Channels of each convolution; each is followed by a pooling that
            halves the image.
        units: Size of the dense layer.
        dropout: Rate of dropout before the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            the image is too small to be halved so often.
    """
    check_fit(inputs, task)
    (spec,) = inputs
    size = spec.sizes["size"]
    if size < 2 ** len(filters):
        raise ValueError(
            f"Expected an image of at least {2 ** len(filters)} pixels a side, since "
            f"{len(filters)} poolings halve it. Received: size={size}, "
            f"filters={tuple(filters)}."
        )

    # === Convolutions ===
    image = keras.Input((size, size, 3), dtype="float32", name=spec.key)
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(image))
    for channels in filters:
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)  # (batch, height / 2, width / 2, channels)

    # === Dense layers ===
    x = layers.Flatten()(x)  # (batch, regions * filters[-1])
    x = layers.Dense(units, activation="relu")(x)  # (batch, units)
    x = layers.Dropout(dropout)(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel([image], {task.name: x}, name=name)
