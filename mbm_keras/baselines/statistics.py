"""What plain pipelines know of an image, a sound, a vector: some hundred numbers."""

import numpy as np

_SIDE, _CELLS, _DIRECTIONS, _COLORS = 16, 4, 8, 4
_CEPSTRA = 20


def of_images(images: np.ndarray) -> np.ndarray:
    """Small pixels, a histogram of colors, and histograms of gradients.

    Args:
        images: `(rows, height, width, channels)` in [0, 255].

    Returns:
        `(rows, n)` float64.
    """
    images = np.asarray(images, "float64") / 255
    small = _shrink(images, _SIDE)
    return np.concatenate(
        [small.reshape(len(images), -1), _colors(images), _gradients(images.mean(-1))],
        axis=1,
    )


def of_spectrograms(spectrograms: np.ndarray) -> np.ndarray:
    """Mean and spread over time of the bins, of their cepstra, and of their changes.

    Args:
        spectrograms: `(rows, steps, bins)`; padding at the end is zeros.

    Returns:
        `(rows, n)` float64.
    """
    x = np.asarray(spectrograms, "float64")
    bins = x.shape[-1]
    order = np.arange(min(_CEPSTRA, bins))[:, None]
    cosines = np.cos(np.pi * order * (np.arange(bins) + 0.5) / bins)  # (cepstra, bins)
    filled = np.any(x != 0, axis=-1)  # (rows, steps)
    cepstra = x @ cosines.T
    changes = np.diff(cepstra, axis=1)
    parts = [
        statistic
        for values, valid in ((x, filled), (cepstra, filled), (changes, filled[:, 1:]))
        for statistic in _mean_and_spread(values, valid)
    ]
    return np.concatenate(parts, axis=1)


def of_vectors(values: np.ndarray) -> np.ndarray:
    """The numbers themselves; of a sequence of vectors, their mean and spread.

    Args:
        values: `(rows, n)` or `(rows, steps, ..., n)`.

    Returns:
        `(rows, n)` or `(rows, 2 n)` float64.
    """
    x = np.nan_to_num(np.asarray(values, "float64"))
    if x.ndim < 3:
        return x.reshape(len(x), -1)
    x = x.reshape(len(x), -1, x.shape[-1])
    return np.concatenate(_mean_and_spread(x, np.any(x != 0, axis=-1)), axis=1)


def _mean_and_spread(values, valid):
    """Over the valid steps; zeros where there is none."""
    weight = valid[..., None] / np.maximum(1, valid.sum(axis=1))[:, None, None]
    mean = (values * weight).sum(axis=1)
    variance = (np.square(values - mean[:, None]) * weight).sum(axis=1)
    return mean, np.sqrt(variance)


def _shrink(images, side):
    """Means over areas, at most `side` x `side` of them."""
    for axis in (1, 2):
        size = images.shape[axis]
        edges = np.linspace(0, size, min(side, size) + 1).astype(int)
        widths = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(4)])
        images = np.add.reduceat(images, edges[:-1], axis=axis) / widths
    return images


def _colors(images):
    """The share of the pixels in each cell of a coarse grid of colors."""
    cells = np.minimum((images * _COLORS).astype(int), _COLORS - 1)
    code = np.zeros(images.shape[:3], int)
    for channel in range(images.shape[-1]):
        code = code * _COLORS + cells[..., channel]
    number = _COLORS ** images.shape[-1]
    rows = np.arange(len(images))[:, None] * number
    counts = np.bincount(
        (code.reshape(len(images), -1) + rows).ravel(), minlength=len(images) * number
    )
    return counts.reshape(len(images), number) / code[0].size


def _gradients(gray):
    """Histograms of the directions of gradients in a grid, weighted by their size."""
    rows, columns = np.gradient(gray, axis=(1, 2))
    size = np.hypot(rows, columns)
    # The middle of a direction is at 0, 22.5, 45 degrees, which many edges have.
    angle = np.arctan2(rows, columns) / np.pi + 0.5 / _DIRECTIONS
    angle = np.mod(angle, 1.0) * _DIRECTIONS
    direction = np.minimum(angle.astype(int), _DIRECTIONS - 1)
    layers = [
        _shrink((size * (direction == d))[..., None], _CELLS)
        for d in range(_DIRECTIONS)
    ]
    found = np.concatenate(layers, axis=-1).reshape(len(gray), -1)
    return found / np.maximum(1e-6, np.linalg.norm(found, axis=1, keepdims=True))
