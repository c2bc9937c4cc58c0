"""One input scales and shifts what those before it have made."""

from mbm_keras.layers import zero_absent


def modulated(h, embeddings, scales, shifts, present):
    """h_i = (1 + x_i W_i + v_i) * h_(i-1) + x_i U_i + b_i, one after the other.

    Args:
        h: `(batch, units)`.
        embeddings: List of `(batch, width_i)`.
        scales: A dense layer for each, `units` or 1 wide.
        shifts: The same.
        present: `(batch, n)` bool, or None; an absent input changes nothing.

    Returns:
        `(batch, units)`.
    """
    gammas = [scale(x) for scale, x in zip(scales, embeddings, strict=True)]
    betas = [shift(x) for shift, x in zip(shifts, embeddings, strict=True)]
    gammas, betas = zero_absent(gammas, present), zero_absent(betas, present)
    for gamma, beta in zip(gammas, betas, strict=True):
        h = (1 + gamma) * h + beta
    return h
