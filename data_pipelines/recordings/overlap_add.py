"""Splits a long sound into overlapping windows, and joins windows to one sound."""

import itertools

import numpy as np


def split(wave: np.ndarray, samples: int, hop: int) -> np.ndarray:
    """Splits a sound into windows; the last one is padded with silence.

    Args:
        wave: `(length, ...)`, samples of a sound or frames of a clip.
        samples: Length of a window.
        hop: Distance between the starts of two windows, at most `samples`.

    Returns:
        `(windows, samples, ...)`, one window or more.

    Raises:
        ValueError: If 0 < hop <= samples does not hold.
    """
    _check(samples, hop)
    windows = 1 + max(0, -(-(len(wave) - samples) // hop))
    padding = (windows - 1) * hop + samples - len(wave)
    wave = np.pad(wave, [[0, padding], *[[0, 0]] * (wave.ndim - 1)])
    return np.stack([wave[i * hop : i * hop + samples] for i in range(windows)])


def join(
    windows: np.ndarray, hop: int, length: int, any_order: bool = False
) -> np.ndarray:
    """Joins overlapping windows of several sounds, with a linear cross-fade.

    Args:
        windows: `(windows, sounds, samples)`.
        hop: As for `split`.
        length: Length of the result, in samples.
        any_order: True if each window may have the sounds in another order: they are
            put into the order in which they match the previous window best where the
            two overlap.

    Returns:
        `(sounds, length)` float32.

    Raises:
        ValueError: As `split`, and for windows in any order that do not overlap.
    """
    windows = np.array(windows, "float32")
    number, sounds, samples = windows.shape
    _check(samples, hop)
    overlap = samples - hop
    if any_order and not overlap and number > 1:
        raise ValueError(
            "Expected hop < samples for windows in any order: only the overlap shows "
            f"their order. Received: samples={samples}, hop={hop}."
        )
    fade = (np.arange(overlap) + 0.5) / max(overlap, 1)
    whole = np.zeros((sounds, (number - 1) * hop + samples), "float32")
    whole[:, :samples] = windows[0]
    for i in range(1, number):
        start, window = i * hop, windows[i]
        previous = whole[:, start : start + overlap]
        if any_order:
            window = window[_match_sounds(previous, window[:, :overlap])]
        whole[:, start : start + overlap] = (
            previous * (1 - fade) + window[:, :overlap] * fade
        )
        whole[:, start + overlap : start + samples] = window[:, overlap:]
    return whole[:, :length]


def _match_sounds(previous, following):
    """The order of the following sounds that correlates best with the previous."""
    correlation = previous @ following.T  # (sounds, sounds)
    rows = range(len(previous))
    orders = itertools.permutations(rows)
    return list(max(orders, key=lambda order: correlation[rows, order].sum()))


def _check(samples, hop):
    if not 0 < hop <= samples:
        raise ValueError(
            f"Expected 0 < hop <= samples. Received: samples={samples}, hop={hop}."
        )
