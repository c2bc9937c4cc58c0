"""A long sound in windows that overlap, and windows back to one sound."""

import itertools

import numpy as np


def split(wave, samples, hop):
    """Windows of a sound, the last one padded with silence.

    Args:
        wave: `(length, ...)`, the time first: samples, or frames of a picture.
        samples: Length of a window.
        hop: From the beginning of one window to that of the next.

    Returns:
        `(windows, samples, ...)`, one at least.

    Raises:
        ValueError: If windows would leave something out.
    """
    _check(samples, hop)
    windows = 1 + max(0, -(-(len(wave) - samples) // hop))
    behind = (windows - 1) * hop + samples - len(wave)
    wave = np.pad(wave, [[0, behind], *[[0, 0]] * (wave.ndim - 1)])
    return np.stack([wave[i * hop : i * hop + samples] for i in range(windows)])


def join(windows, hop, length, any_order=False):
    """One sound per row out of overlapping windows, faded over where they overlap.

    Args:
        windows: `(windows, sounds, samples)`.
        hop: As for `cut`.
        length: Of the whole.
        any_order: True if the sounds of a window may stand in any order: those of the
            next window are then put in the one that fits best where they overlap.

    Returns:
        `(sounds, length)` float32.

    Raises:
        ValueError: As `cut`, and if windows without overlap come in any order.
    """
    windows = np.array(windows, "float32")
    number, sounds, samples = windows.shape
    _check(samples, hop)
    shared = samples - hop
    if any_order and not shared and number > 1:
        raise ValueError("Nothing tells the order of windows that do not overlap.")
    fade = (np.arange(shared) + 0.5) / max(shared, 1)
    whole = np.zeros((sounds, (number - 1) * hop + samples), "float32")
    whole[:, :samples] = windows[0]
    for i in range(1, number):
        at, part = i * hop, windows[i]
        before = whole[:, at : at + shared]
        if any_order:
            part = part[_best_order(before, part[:, :shared])]
        whole[:, at : at + shared] = before * (1 - fade) + part[:, :shared] * fade
        whole[:, at + shared : at + samples] = part[:, shared:]
    return whole[:, :length]


def _best_order(before, behind):
    likeness = before @ behind.T
    orders = itertools.permutations(range(len(before)))
    rows = range(len(before))
    return list(max(orders, key=lambda order: likeness[rows, order].sum()))


def _check(samples, hop):
    if not 0 < hop <= samples:
        raise ValueError(
            "A window begins before the one in front of it has ended. "
            f"Received: samples={samples}, hop={hop}."
        )
