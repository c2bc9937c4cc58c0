"""Video tower: a CNN over every frame, then a recurrent layer over time.

Source: Donahue et al. 2015, "Long-term Recurrent Convolutional Networks for Visual
Recognition and Description", https://arxiv.org/abs/1411.4389, section 4. Deviations: a
small CNN with strided convolutions instead of CaffeNet; one bidirectional GRU and its
mean over time instead of an LSTM and the mean of its predictions; frames of zeros are
padding.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PixelValues
from mbm_keras.layers import nonzero_steps

PRESETS = {
    "tiny": dict(num_frames=4, size=16, filters=(4, 8), width=8),
    "base": dict(num_frames=16, size=112, filters=(32, 64, 128, 256), width=256),
}


def build(
    num_frames: int,
    size: int,
    *,
    filters: Sequence[int] = (16, 32, 64, 128),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "video",
) -> keras.Model:
    """Builds the tower.

    Args:
        num_frames: int > 0, frames per clip, as given to
            `mbm_keras.preprocessing.Frames`.
        size: int > 0, height and width of a frame in pixels.
        filters: ints > 0, channels of each convolution. Each halves the frame.
        width: even int > 0, width of the output, half of it per direction of time.
        dropout: float in [0, 1), dropout rate before the recurrent layer.
        pool: bool. True for the mean over time, False for one vector per frame.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, num_frames, size, size, 3)` in [0, 255] or [0, 1];
        frames of zeros, after the end of a clip, are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, num_frames, width)`
        with the Keras mask `(batch, num_frames)`.

    Raises:
        ValueError: If a frame is too small to be halved that often, or `width` is odd.
    """
    smallest = 2 ** len(filters)
    if size < smallest or width % 2:
        raise ValueError(
            f"Expected a `size` of at least {smallest}, because {len(filters)} "
            "convolutions halve a frame, and an even `width`. "
            f"Received: size={size}, width={width}."
        )
    video = keras.Input((num_frames, size, size, 3), dtype="float32", name=name)
    mask = nonzero_steps(video)  # (batch, num_frames)
    valid = ops.reshape(mask, (-1,))  # (batch * num_frames,)
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(video))
    x = ops.reshape(x, (-1, size, size, 3))  # (batch * num_frames, ...)
    x = layers.Conv2D(filters[0], 3, 2, padding="same", activation="relu")(x)
    for channels in filters[1:]:  # each pass halves height and width
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = MaskedBatchNormalization()(x, mask=valid)
        x = layers.ReLU()(x)
    x = layers.GlobalMaxPooling2D()(x)  # (batch * num_frames, filters[-1])
    x = ops.reshape(x, (-1, num_frames, filters[-1]))
    x = layers.Dropout(dropout)(x)
    x = AttachMask()([x, mask])
    # (batch, num_frames, width)
    x = layers.Bidirectional(layers.GRU(width // 2, return_sequences=True))(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([video], x, name=tower_name(name))
