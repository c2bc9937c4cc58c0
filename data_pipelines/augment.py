"""Random changes of a batch that leave its meaning alone.

Each function builds one: it takes a batch of arrays and keys `(batch,)` int64, see
`data_pipelines.draw`, and gives a batch of the same shape and type. The same key gives
the same change, whatever else is in the batch.
"""

import tensorflow as tf

from data_pipelines import draw


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
        u = tf.unstack(draw.uniform(keys, 6, -1.0, 1.0), axis=1)
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
        u = draw.uniform(keys, 2, -1.0, 1.0)

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
        mirrored = draw.uniform(keys, 1)[:, :, None, None] < rate  # (batch, 1, 1, 1)
        return tf.where(mirrored, tf.reverse(batch, [2]), batch)

    return change


def spectrograms(shift=0.1, speed=0.1, bins=1, gain=1.0, time_mask=0.15, bin_mask=0.1):
    """Moves, stretches and detunes every log-mel spectrogram, and blanks stripes.

    The stripes are those of Park et al. 2019, "SpecAugment",
    https://arxiv.org/abs/1904.08779, one along each axis, filled with the mean.
    Frames of zeros are padding, and stay.

    Args:
        shift: Largest move in time, as a share of the frames.
        speed: Largest change of speed, as a share.
        bins: Largest move along the mel bands, in bands.
        gain: Largest change of the logarithm.
        time_mask: Widest stripe of frames, as a share.
        bin_mask: Widest stripe of bands, as a share.

    Returns:
        A function of `(batch, frames, num_mel_bins)` float32 and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        bands = tf.cast(shape[2], tf.float32)
        here = tf.reduce_any(batch != 0, axis=2)
        t = tf.range(tf.cast(shape[1], tf.float32))[None]  # (1, frames)
        # (batch, 1), a sound without padding has all frames
        frames = tf.reduce_max(tf.where(here, t + 1, 0.0), axis=1, keepdims=True)
        here = (t < frames)[:, :, None]
        u = tf.split(draw.uniform(keys, 8, -1.0, 1.0), 8, axis=1)  # (batch, 1) each
        source = (t - u[0] * shift * frames) * (1.0 + u[1] * speed)
        source = tf.maximum(tf.minimum(tf.round(source), frames - 1), 0)
        moved = tf.gather(batch, tf.cast(source, tf.int32), axis=1, batch_dims=1)
        b = tf.range(bands)[None]  # (1, bands)
        source = tf.clip_by_value(tf.round(b + u[2] * bins), 0, bands - 1)
        moved = tf.gather(moved, tf.cast(source, tf.int32), axis=2, batch_dims=1)
        moved = tf.where(here, moved, 0.0)
        mean = tf.reduce_sum(moved, axis=(1, 2), keepdims=True)
        mean /= tf.maximum(frames, 1)[:, :, None] * bands

        def stripe(places, length, widest, start, width):
            width = (width + 1) / 2 * widest * length  # (batch, 1)
            start = (start + 1) / 2 * (length - width)
            return (places >= start) & (places < start + width)

        blank = stripe(t, frames, time_mask, u[3], u[4])[:, :, None]
        blank |= stripe(b, bands, bin_mask, u[5], u[6])[:, None, :]
        changed = tf.where(blank, mean, moved) + u[7][:, :, None] * gain
        return tf.where(here, changed, 0.0)

    return change


def words(rate=0.1, unknown=1):
    """Replaces words at random by the unknown word; padding stays.

    Args:
        rate: Share of the words.
        unknown: Id of the unknown word.

    Returns:
        A function of `(batch, steps)` int32 and keys.
    """

    def change(batch, keys):
        drawn = draw.uniform(keys, tf.shape(batch)[1])
        hidden = (drawn < rate) & (batch != 0)
        return tf.where(hidden, tf.constant(unknown, batch.dtype), batch)

    return change


def chain(*changes):
    """One change after the other, each with random numbers of its own.

    Args:
        *changes: Functions of this module.

    Returns:
        A function of a batch and keys.
    """

    def change(batch, keys):
        for stream, one in enumerate(changes):
            batch = one(batch, draw.other(keys, stream << 32))
        return batch

    return change


def by_name(changes):
    """One function for every input that changes.

    Args:
        changes: By input name, a function of this module or several in a list; None
            for no change.
    """
    return {
        name: change if callable(change) else chain(*change)
        for name, change in (changes or {}).items()
    }
