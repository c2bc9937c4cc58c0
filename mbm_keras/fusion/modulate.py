"""One input scales and shifts the result of the inputs before it."""

from collections.abc import Sequence
from typing import Any

import keras

from mbm_keras.layers import zero_absent


def modulate(
    h: Any,
    embeddings: Sequence[Any],
    scales: Sequence[keras.layers.Layer],
    shifts: Sequence[keras.layers.Layer],
    present: Any,
) -> Any:
    """Applies a scale and a shift of each embedding, one after the other.

        h_i = (1 + x_i W_i + v_i) * h_(i-1) + x_i U_i + b_i

    Args:
        h: `(batch, units)`, float.
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        scales: List of `n` dense layers, from `width_i` to `units` or to 1.
        shifts: List of `n` dense layers, likewise.
        present: `(batch, n)` bool; None if all rows have all inputs. An absent input
            changes nothing.

    Returns:
        `(batch, units)`, float.
    """
    gammas = [scale(x) for scale, x in zip(scales, embeddings, strict=True)]
    betas = [shift(x) for shift, x in zip(shifts, embeddings, strict=True)]
    gammas, betas = zero_absent(gammas, present), zero_absent(betas, present)
    for gamma, beta in zip(gammas, betas, strict=True):
        h = (1 + gamma) * h + beta  # (batch, units)
    return h
