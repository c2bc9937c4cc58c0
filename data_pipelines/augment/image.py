"""Random changes of images and clips."""

import tensorflow as tf

from data_pipelines.augment.change import Change
from data_pipelines.batching import row_random


def pictures(
    shift: float = 0.1,
    scale: float = 0.1,
    degrees: float = 10.0,
    contrast: float = 0.2,
) -> Change:
    """Moves, scales and turns each image, and changes its contrast and brightness.

    Images are not mirrored: that would change letters, digits and roads.

    Args:
        shift: Largest move along an axis, as a share of the image.
        scale: Largest change of size, as a share.
        degrees: Largest rotation.
        contrast: Largest change of contrast and of brightness, as a share.

    Returns:
        A function of `(batch, height, width, channels)` uint8 and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
        u = tf.unstack(row_random.uniform(keys, 6, -1.0, 1.0), axis=1)
        angle, size = u[0] * degrees * 3.14159265 / 180.0, 1.0 + u[1] * scale
        cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
        # Source of each output pixel: rotated about the center, then moved.
        x, y = (width - 1) / 2, (height - 1) / 2
        left = x - cos * x + sin * y + u[2] * shift * width
        top = y - sin * x - cos * y + u[3] * shift * height
        zero = tf.zeros_like(cos)
        transforms = tf.stack([cos, -sin, left, sin, cos, top, zero, zero], axis=1)
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(batch, tf.float32),  # a quarter faster than of uint8
            transforms=transforms,
            output_shape=shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
        gain = (1.0 + u[4] * contrast)[:, None, None, None]
        offset = (u[5] * contrast * 127.5)[:, None, None, None]
        lit = tf.round((moved - 127.5) * gain + 127.5 + offset)
        return tf.cast(tf.clip_by_value(lit, 0.0, 255.0), batch.dtype)

    return change


def crops(pad: float = 0.1) -> Change:
    """Moves each image by whole pixels: pads it and crops it to its size.

    Nothing is interpolated: edges stay sharp, and it takes a quarter of the time of
    `pictures`.

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition",
    https://arxiv.org/abs/1512.03385, section 4.2. Deviation: the padding repeats the
    edge.

    Args:
        pad: Largest move along an axis, as a share of the image.

    Returns:
        A function of `(batch, height, width, channels)` and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        u = row_random.uniform(keys, 2, -1.0, 1.0)

        def move(size, u):
            moves = tf.cast(tf.round(u * pad * tf.cast(size, u.dtype)), tf.int32)
            return tf.clip_by_value(tf.range(size)[None] + moves, 0, size - 1)

        rows, columns = move(shape[1], u[:, :1]), move(shape[2], u[:, 1:])
        moved = tf.gather(batch, rows, axis=1, batch_dims=1)
        return tf.gather(moved, columns, axis=2, batch_dims=1)

    return change


def flips(rate: float = 0.5) -> Change:
    """Mirrors images left to right, where that does not change their meaning.

    Args:
        rate: Share of the images, in [0, 1].

    Returns:
        A function of `(batch, height, width, channels)` and keys.
    """

    def change(batch, keys):
        u = row_random.uniform(keys, 1)[:, :, None, None]  # (batch, 1, 1, 1)
        return tf.where(u < rate, tf.reverse(batch, [2]), batch)

    return change


def colors(saturation: float = 0.3, hue: float = 0.05, gray: float = 0.0) -> Change:
    """Changes the saturation and the hue of each image.

    The brightness of a pixel, its luma of ITU-R BT.601, does not change.

    Args:
        saturation: Largest change of the saturation, as a share.
        hue: Largest rotation of the hue, as a share of the circle.
        gray: Share of the images that become gray, in [0, 1].

    Returns:
        A function of `(batch, height, width, 3)` and keys.
    """
    # From RGB to YIQ, as in BT.601: the hue is an angle in the plane of I and Q.
    to_yiq = tf.constant(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )

    def change(batch, keys):
        u = tf.unstack(row_random.uniform(keys, 3, -1.0, 1.0), axis=1)
        strength = tf.where((u[2] + 1) / 2 < gray, 0.0, 1.0 + u[0] * saturation)
        angle = u[1] * hue * 2 * 3.14159265
        cos, sin = strength * tf.cos(angle), strength * tf.sin(angle)
        zero, one = tf.zeros_like(cos), tf.ones_like(cos)
        rows = [[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]]
        turn = tf.transpose(tf.stack([tf.stack(row) for row in rows]), (2, 0, 1))
        matrix = tf.linalg.inv(to_yiq) @ turn @ to_yiq  # (batch, 3, 3)
        values = tf.cast(batch, tf.float32)
        turned = tf.einsum("bhwc,bdc->bhwd", values, matrix)
        turned = tf.clip_by_value(tf.round(turned), 0.0, 255.0)
        return tf.cast(turned, batch.dtype)

    return change


def channels() -> Change:
    """Mixes the channels of each image with a random matrix.

    x - 127.5 of each pixel is multiplied by a matrix of normal numbers with variance
    1 / channels. Shapes stay, and only they can be learned from.

    Source: Xu et al. 2021, "Robust and Generalizable Visual Representation Learning
    via Random Convolutions", https://arxiv.org/abs/2007.13003, of kernel 1.
    Deviation: values are clipped to the range of a pixel.

    Returns:
        A function of `(batch, height, width, channels)` uint8 and keys.
    """

    def change(batch, keys):
        size = batch.shape[-1]
        matrix = row_random.normal(row_random.uniform(keys, 2 * size * size))
        matrix = tf.reshape(matrix * size**-0.5, (-1, size, size))
        mixed = tf.einsum("bhwc,bcd->bhwd", tf.cast(batch, tf.float32) - 127.5, matrix)
        mixed = tf.clip_by_value(tf.round(mixed + 127.5), 0.0, 255.0)
        return tf.cast(mixed, batch.dtype)

    return change


def frames(change: Change) -> Change:
    """A change of images for clips: the same change for all frames of a clip.

    Args:
        change: What `pictures`, `crops`, `flips`, `colors` or `channels` returns.

    Returns:
        A function of `(batch, frames, height, width, channels)` and keys. Nothing moves
        in time, so the frames stay aligned with their sound.
    """

    def change_frames(batch, keys):
        shape = tf.shape(batch)
        images = tf.reshape(batch, tf.concat([[-1], shape[2:]], axis=0))
        # Frames of zeros are padding.
        valid = tf.reduce_any(images != 0, axis=(1, 2, 3), keepdims=True)
        changed = change(images, tf.repeat(keys, shape[1]))
        changed = tf.where(valid, changed, tf.zeros_like(changed))
        return tf.ensure_shape(tf.reshape(changed, shape), batch.shape)

    return change_frames
