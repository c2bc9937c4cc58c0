"""Random changes of speech that keep every word of it."""

import math

import tensorflow as tf

from data_pipelines.augment.change import Change
from data_pipelines.batching import row_random

_WAVES = 3  # of a change of speed


def speech(
    warp: float = 0.2,
    bands: float = 0.1,
    gain: float = 1.0,
    time_masks: int = 2,
    time_mask: float = 0.04,
    bin_mask: float = 0.2,
) -> Change:
    """Changes the speed, the voice and the level of each log-mel spectrogram.

    The first and the last frame keep their positions, so that the text of a recording
    is still all in it; `spectrograms` moves some of it out of the window. Frames of
    zeros are padding, which is not changed.

    Source of the masks: Park et al. 2019, "SpecAugment: A Simple Data Augmentation
    Method for Automatic Speech Recognition", https://arxiv.org/abs/1904.08779, section
    2; of the bands: Jaitly and Hinton 2013, "Vocal Tract Length Perturbation (VTLP)
    improves speech recognition". Deviations: the speed changes in waves, masks are
    filled with the mean, and bands are scaled on the mel axis.

    Args:
        warp: Largest local change of speed, as a share.
        bands: Largest change of the length of the vocal tract, as a share.
        gain: Largest change of the logarithm of the energy.
        time_masks: Number of masks of frames.
        time_mask: Widest mask of frames, as a share.
        bin_mask: Widest mask of bands, as a share.

    Returns:
        A function of `(batch, frames, num_mel_bins)` float32 and keys.
    """

    def change(batch, keys):
        shape = tf.shape(batch)
        size = tf.cast(shape[2], tf.float32)
        nonzero = tf.reduce_any(batch != 0, axis=2)  # (batch, frames)
        t = tf.range(tf.cast(shape[1], tf.float32))[None]  # (1, frames)
        frames = tf.reduce_max(tf.where(nonzero, t + 1, 0.0), axis=1, keepdims=True)
        valid = (t < frames)[:, :, None]
        u = row_random.uniform(keys, _WAVES + 4 + 2 * time_masks, -1.0, 1.0)
        u = tf.unstack(u[:, :, None], axis=1)  # (batch, 1) each
        moved = _interpolate(batch, _warp(t, frames, u[:_WAVES], warp), axis=1)
        if bands:
            b = tf.range(size)[None] * (1 + u[_WAVES] * bands)  # (batch, bands)
            moved = _interpolate(moved, tf.minimum(b, size - 1), axis=2)
        moved = tf.where(valid, moved, 0.0)
        mean = tf.reduce_sum(moved, axis=1, keepdims=True)
        mean /= tf.maximum(frames, 1)[:, :, None]  # (batch, 1, bands)
        masked = _mask(
            tf.range(size)[None], size, bin_mask, *u[_WAVES + 1 : _WAVES + 3]
        )
        masked = masked[:, None]
        for i in range(time_masks):
            first = _WAVES + 4 + 2 * i
            one = _mask(t, frames, time_mask, *u[first : first + 2])
            masked |= one[:, :, None]
        changed = tf.where(masked, mean, moved) + u[_WAVES + 3][:, :, None] * gain
        return tf.where(valid, changed, 0.0)

    return change


def _warp(t, frames, u, warp):
    """The frame that each one shows, `(batch, frames)`: faster and slower in waves."""
    source = t
    for wave, each in enumerate(u, 1):
        # The slope of each is at most its share of `warp`.
        high = each * warp * frames / (_WAVES * math.pi * wave)
        source += high * tf.sin(math.pi * wave * t / tf.maximum(frames - 1, 1))
    return tf.maximum(tf.minimum(source, frames - 1), 0)


def _interpolate(batch, source, axis):
    """Values at positions between two of an axis, 1 or 2."""
    below = tf.floor(source)
    share = tf.expand_dims(source - below, 3 - axis)
    low = tf.cast(below, tf.int32)
    high = tf.minimum(low + 1, tf.shape(batch)[axis] - 1)
    if axis == 2:
        low, high = (tf.repeat(x[:, None], tf.shape(batch)[1], 1) for x in (low, high))
    first, second = (
        tf.gather(batch, x, axis=axis, batch_dims=axis) for x in (low, high)
    )
    return first * (1 - share) + second * share


def _mask(positions, length, widest, start, width):
    width = (width + 1) / 2 * widest * length  # (batch, 1)
    start = (start + 1) / 2 * (length - width)
    return (positions >= start) & (positions < start + width)
