"""Changes of pictures and clips."""

import tensorflow as tf

from data_pipelines.batching import row_random


def pictures(shift=0.1, scale=0.1, degrees=10.0, contrast=0.2):
    """Moves, scales, turns and re-lights every picture by its own amount.

    Nothing is mirrored: that would change letters, digits and roads.

    Args:
        shift: Largest move along an axis, as a share of the picture.
        scale: Largest change of size, as a share.
        degrees: Largest turn.
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
        # Where each output pixel comes from: turned about the centre, then moved.
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


def crops(pad=0.1):
    """Moves every picture by whole pixels: pads it and cuts it out again.

    After He et al. 2016, "Deep Residual Learning for Image Recognition",
    https://arxiv.org/abs/1512.03385, section 4.2. Deviation: the padding repeats the
    edge. Nothing is interpolated: edges stay sharp, and it takes a quarter of the
    time of `pictures`.

    Args:
        pad: Largest move along an axis, as a share of the picture.

    Returns:
        A function of `(batch, height, width, channels)` and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        u = row_random.uniform(keys, 2, -1.0, 1.0)

        def places(size, u):
            moves = tf.cast(tf.round(u * pad * tf.cast(size, u.dtype)), tf.int32)
            return tf.clip_by_value(tf.range(size)[None] + moves, 0, size - 1)

        rows, columns = places(shape[1], u[:, :1]), places(shape[2], u[:, 1:])
        moved = tf.gather(batch, rows, axis=1, batch_dims=1)
        return tf.gather(moved, columns, axis=2, batch_dims=1)

    return change


def flips(rate=0.5):
    """Mirrors pictures left to right, where that leaves their meaning alone.

    Args:
        rate: Share of the pictures.

    Returns:
        A function of `(batch, height, width, channels)` and keys.
    """

    def change(batch, keys):
        mirrored = (
            row_random.uniform(keys, 1)[:, :, None, None] < rate
        )  # (batch, 1, 1, 1)
        return tf.where(mirrored, tf.reverse(batch, [2]), batch)

    return change


def colors(saturation=0.3, hue=0.05, gray=0.0):
    """Changes how strong and what the colours of every picture are.

    The brightness of a pixel, its luma of ITU-R BT.601, stays.

    Args:
        saturation: Largest change of the strength of colour, as a share.
        hue: Largest turn of the colours, as a share of the circle.
        gray: Share of the pictures that lose all colour.

    Returns:
        A function of `(batch, height, width, 3)` and keys.
    """
    # The transform of BT.601 between RGB and YIQ: hue is an angle in its last two.
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


def channels():
    """Mixes the channels of every picture by a matrix of its own: shapes stay.

    A pixel's channels about the middle are multiplied by a matrix of normal numbers of
    variance 1 / channels. What is left to tell things by is their shape.

    Source: Xu et al. 2021, "Robust and Generalizable Visual Representation Learning
    via Random Convolutions", https://arxiv.org/abs/2007.13003, of kernel 1.
    Deviation: values beyond the range of a pixel are cut to it.

    Returns:
        A function of `(batch, height, width, channels)` uint8 and keys.
    """

    def change(batch, keys):
        size = batch.shape[-1]
        matrix = (
            row_random.normal(row_random.uniform(keys, 2 * size * size)) * size**-0.5
        )
        matrix = tf.reshape(matrix, (-1, size, size))
        mixed = tf.einsum("bhwc,bcd->bhwd", tf.cast(batch, tf.float32) - 127.5, matrix)
        mixed = tf.clip_by_value(tf.round(mixed + 127.5), 0.0, 255.0)
        return tf.cast(mixed, batch.dtype)

    return change


def frames(change):
    """A change of pictures for clips: one and the same for all frames of a clip.

    Args:
        change: What `pictures`, `crops`, `flips`, `colors` or `channels` gives.

    Returns:
        A function of `(batch, frames, height, width, channels)` and keys. Nothing is
        moved in time, and so the frames stay in step with their sound.
    """

    def change_all(batch, keys):
        shape = tf.shape(batch)
        pictures = tf.reshape(batch, tf.concat([[-1], shape[2:]], axis=0))
        # Frames of zeros stand for none.
        here = tf.reduce_any(pictures != 0, axis=(1, 2, 3), keepdims=True)
        changed = change(pictures, tf.repeat(keys, shape[1]))
        changed = tf.where(here, changed, tf.zeros_like(changed))
        return tf.ensure_shape(tf.reshape(changed, shape), batch.shape)

    return change_all
