"""Random changes of sounds: of log-mel spectrograms, and of waveforms."""

import tensorflow as tf

from data_pipelines.augment.change import Change
from data_pipelines.batching import row_random


def spectrograms(
    shift: float = 0.1,
    speed: float = 0.1,
    bins: int = 1,
    gain: float = 1.0,
    time_mask: float = 0.15,
    bin_mask: float = 0.1,
) -> Change:
    """Moves, stretches, detunes and masks each log-mel spectrogram.

    Frames of zeros are padding, which is not changed.

    Source of the masks: Park et al. 2019, "SpecAugment: A Simple Data Augmentation
    Method for Automatic Speech Recognition", https://arxiv.org/abs/1904.08779, section
    2. Deviation: one mask along each axis, filled with the mean.

    Args:
        shift: Largest move in time, as a share of the frames.
        speed: Largest change of speed, as a share.
        bins: Largest move along the mel bands, in bands.
        gain: Largest change of the logarithm of the energy.
        time_mask: Widest mask of frames, as a share.
        bin_mask: Widest mask of bands, as a share.

    Returns:
        A function of `(batch, frames, num_mel_bins)` float32 and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        bands = tf.cast(shape[2], tf.float32)
        nonzero = tf.reduce_any(batch != 0, axis=2)  # (batch, frames)
        t = tf.range(tf.cast(shape[1], tf.float32))[None]  # (1, frames)
        # Frames of each sound before its padding, (batch, 1).
        frames = tf.reduce_max(tf.where(nonzero, t + 1, 0.0), axis=1, keepdims=True)
        valid = (t < frames)[:, :, None]
        u = row_random.uniform(keys, 8, -1.0, 1.0)
        u = tf.split(u, 8, axis=1)  # (batch, 1) each
        source = (t - u[0] * shift * frames) * (1.0 + u[1] * speed)
        source = tf.maximum(tf.minimum(tf.round(source), frames - 1), 0)
        moved = tf.gather(batch, tf.cast(source, tf.int32), axis=1, batch_dims=1)
        b = tf.range(bands)[None]  # (1, bands)
        source = tf.clip_by_value(tf.round(b + u[2] * bins), 0, bands - 1)
        moved = tf.gather(moved, tf.cast(source, tf.int32), axis=2, batch_dims=1)
        moved = tf.where(valid, moved, 0.0)
        mean = tf.reduce_sum(moved, axis=(1, 2), keepdims=True)
        mean /= tf.maximum(frames, 1)[:, :, None] * bands

        def mask(positions, length, widest, start, width):
            width = (width + 1) / 2 * widest * length  # (batch, 1)
            start = (start + 1) / 2 * (length - width)
            return (positions >= start) & (positions < start + width)

        masked = mask(t, frames, time_mask, u[3], u[4])[:, :, None]
        masked |= mask(b, bands, bin_mask, u[5], u[6])[:, None, :]
        changed = tf.where(masked, mean, moved) + u[7][:, :, None] * gain
        return tf.where(valid, changed, 0.0)

    return change


def noise(low: float = 10.0, high: float = 40.0) -> Change:
    """Adds the energy of white noise to each log-mel spectrogram.

    Frames of zeros are padding, which is not changed.

    Args:
        low: Smallest ratio of the mean energy of a sound to that of the noise, in dB.
        high: Largest ratio, in dB.

    Returns:
        A function of `(batch, frames, num_mel_bins)` float32 and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        u = row_random.uniform(keys, 1 + shape[1] * shape[2])
        decibels = low + (high - low) * u[:, :1, None]
        valid = tf.reduce_any(batch != 0, axis=2, keepdims=True)
        energy = tf.where(valid, tf.exp(batch), 0.0)
        frames = tf.reduce_sum(tf.cast(valid, tf.float32), axis=1, keepdims=True)
        mean = tf.reduce_sum(energy, axis=(1, 2), keepdims=True)
        mean /= tf.maximum(frames, 1.0) * tf.cast(shape[2], tf.float32)
        # The energy of Gaussian noise has an exponential distribution, with mean 1.
        noise_energy = -tf.math.log1p(-tf.reshape(u[:, 1:], shape))
        energy += mean * 10.0 ** (-decibels / 10.0) * noise_energy
        return tf.where(valid, tf.math.log(energy), 0.0)

    return change


def waves(
    shift: float = 0.1, gain: float = 6.0, low: float = 10.0, high: float = 40.0
) -> Change:
    """Moves each waveform in time, changes its level, and adds white noise.

    Args:
        shift: Largest move, as a share of the length; silence is shifted in.
        gain: Largest change of the level, in dB.
        low: Smallest ratio of the energy of a sound to that of the noise, in dB.
        high: Largest ratio, in dB.

    Returns:
        A function of `(batch, samples)` float32 and keys.
    """

    def change(batch, keys):
        samples = tf.shape(batch)[1]
        u = row_random.uniform(keys, 3 + 2 * samples)
        moves = tf.cast(samples, tf.float32) * shift * (2 * u[:, :1] - 1)
        source = tf.range(samples)[None] - tf.cast(tf.round(moves), tf.int32)
        inside = (source >= 0) & (source < samples)
        source = tf.clip_by_value(source, 0, samples - 1)
        moved = tf.where(inside, tf.gather(batch, source, axis=1, batch_dims=1), 0.0)
        white = row_random.normal(u[:, 3:])  # (batch, samples)
        power = tf.reduce_mean(tf.square(moved), axis=1, keepdims=True)
        decibels = low + (high - low) * u[:, 1:2]
        moved += white * tf.sqrt(power * 10.0 ** (-decibels / 10.0))
        return moved * 10.0 ** (gain * (2 * u[:, 2:3] - 1) / 20.0)

    return change
