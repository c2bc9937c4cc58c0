"""Changes of sounds: of log-mel spectrograms, and of waves."""

import tensorflow as tf

from data_pipelines.batching import row_random


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
        u = tf.split(
            row_random.uniform(keys, 8, -1.0, 1.0), 8, axis=1
        )  # (batch, 1) each
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


def noise(low=10.0, high=40.0):
    """Adds the energy of white noise to every log-mel spectrogram.

    Args:
        low: Least ratio of a sound's mean energy to that of the noise, in decibels.
        high: Largest ratio.

    Returns:
        A function of `(batch, frames, num_mel_bins)` float32 and keys. Frames of
        zeros are padding, and stay.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        drawn = row_random.uniform(keys, 1 + shape[1] * shape[2])
        decibels = low + (high - low) * drawn[:, :1, None]
        here = tf.reduce_any(batch != 0, axis=2, keepdims=True)
        energy = tf.where(here, tf.exp(batch), 0.0)
        frames = tf.reduce_sum(tf.cast(here, tf.float32), axis=1, keepdims=True)
        mean = tf.reduce_sum(energy, axis=(1, 2), keepdims=True)
        mean /= tf.maximum(frames, 1.0) * tf.cast(shape[2], tf.float32)
        # The energy of Gaussian noise is exponential: its mean is 1 here.
        spread = -tf.math.log1p(-tf.reshape(drawn[:, 1:], shape))
        added = energy + mean * 10.0 ** (-decibels / 10.0) * spread
        return tf.where(here, tf.math.log(added), 0.0)

    return change


def waves(shift=0.1, gain=6.0, low=10.0, high=40.0):
    """Moves every sound in time, makes it louder or softer, and adds white noise.

    Args:
        shift: Largest move, as a share of the length; silence comes in.
        gain: Largest change of level, in decibels.
        low: Least ratio of a sound's energy to that of the noise, in decibels.
        high: Largest ratio.

    Returns:
        A function of `(batch, samples)` float32 and keys.
    """

    def change(batch, keys):
        samples = tf.shape(batch)[1]
        drawn = row_random.uniform(keys, 3 + 2 * samples)
        u = drawn[:, :3]
        moves = tf.cast(samples, tf.float32) * shift * (2 * u[:, :1] - 1)
        places = tf.range(samples)[None] - tf.cast(tf.round(moves), tf.int32)
        inside = (places >= 0) & (places < samples)
        places = tf.clip_by_value(places, 0, samples - 1)
        moved = tf.where(inside, tf.gather(batch, places, axis=1, batch_dims=1), 0.0)
        white = row_random.normal(drawn[:, 3:])
        power = tf.reduce_mean(tf.square(moved), axis=1, keepdims=True)
        decibels = low + (high - low) * u[:, 1:2]
        moved += white * tf.sqrt(power * 10.0 ** (-decibels / 10.0))
        return moved * 10.0 ** (gain * (2 * u[:, 2:] - 1) / 20.0)

    return change
