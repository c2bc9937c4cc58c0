"""Bicubic interpolation of a grid, as PyTorch computes it."""

import numpy as np


def resize(
    grid: np.ndarray, size: tuple[int, int], antialias: bool = False
) -> np.ndarray:
    """Interpolates a grid of vectors.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing",
    https://doi.org/10.1109/TASSP.1981.1163711, with the choices of
    `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`: a = -0.75,
    and values beyond the border repeat it; with antialiasing a = -0.5, a wider cubic
    where there is less to compute than before, and no values beyond the border.
    Deviation: none.

    Args:
        grid: `(rows, columns, channels)`, float.
        size: Rows and columns of the result.
        antialias: bool, see above.

    Returns:
        `(*size, channels)`, float32.
    """
    matrix = _smooth_matrix if antialias else _matrix
    rows, columns = matrix(grid.shape[0], size[0]), matrix(grid.shape[1], size[1])
    return np.einsum("ir,jc,rcd->ijd", rows, columns, grid).astype("float32")


def _matrix(old, new):
    """Shares of the old values in each new one, `(new, old)`."""
    center = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(center).astype(int)
    shares = np.zeros((new, old))
    for offset in (-1, 0, 1, 2):
        weight = _cubic(np.abs(center - (first + offset)), -0.75)
        column = np.clip(first + offset, 0, old - 1)
        np.add.at(shares, (np.arange(new), column), weight)
    return shares


def _smooth_matrix(old, new):
    """The same with antialiasing."""
    scale = max(old / new, 1.0)
    center = (np.arange(new) + 0.5) * (old / new)
    distance = np.arange(old) + 0.5 - center[:, None]  # (new, old)
    shares = _cubic(np.abs(distance) / scale, -0.5)
    return shares / shares.sum(axis=1, keepdims=True)


def _cubic(x, a):
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
