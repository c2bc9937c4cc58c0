"""Bicubic interpolation of a grid, as PyTorch computes it."""

import numpy as np

_A = -0.75  # coefficient of the cubic in PyTorch; other libraries use -0.5


def resize(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolates a grid of vectors, without antialiasing.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing",
    https://doi.org/10.1109/TASSP.1981.1163711. Deviation: a = -0.75 instead of -0.5,
    and values beyond the border repeat it, as `torch.nn.functional.interpolate` has it
    with `mode="bicubic", align_corners=False`.

    Args:
        grid: `(rows, columns, channels)`, float.
        size: Rows and columns of the result.

    Returns:
        `(*size, channels)`, float32.
    """
    rows, columns = _matrix(grid.shape[0], size[0]), _matrix(grid.shape[1], size[1])
    return np.einsum("ir,jc,rcd->ijd", rows, columns, grid).astype("float32")


def _matrix(old, new):
    """Shares of the old values in each new one, `(new, old)`."""
    center = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(center).astype(int)
    shares = np.zeros((new, old))
    for offset in (-1, 0, 1, 2):
        weight = _cubic(np.abs(center - (first + offset)))
        column = np.clip(first + offset, 0, old - 1)
        np.add.at(shares, (np.arange(new), column), weight)
    return shares


def _cubic(x):
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
