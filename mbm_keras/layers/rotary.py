"""Rotary positions: pairs of channels turn by an angle that grows with the position."""

from typing import Any

from keras import ops


def rotary_angles(positions: Any, head_width: int, base: float) -> tuple[Any, Any]:
    """The angles of every position, for `rotate`.

        angle of pair i at position t = t base^(-2 i / head_width)

    Source: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position
    Embedding", https://arxiv.org/abs/2104.09864, section 3.2. Deviation: channel `i`
    is paired with `i + head_width / 2`, as in published checkpoints.

    Args:
        positions: `(..., steps)` integers.
        head_width: int > 0 and even, width of a head.
        base: float > 0, see above.

    Returns:
        Cosine and sine, `(..., steps, head_width / 2)` float32 each.
    """
    half = head_width // 2
    powers = ops.arange(half, dtype="float32") / half
    time = ops.expand_dims(ops.cast(positions, "float32"), -1)
    angle = time * ops.power(float(base), -powers)  # (..., steps, half)
    return ops.cos(angle), ops.sin(angle)


def rotate(x: Any, angles: tuple[Any, Any]) -> Any:
    """Turns the channels of queries or keys.

    Args:
        x: `(..., steps, head_width)`, float.
        angles: What `rotary_angles` returned, of shapes that fit those of `x`.

    Returns:
        The shape and dtype of `x`.
    """
    cos, sin = angles
    left, right = ops.split(ops.cast(x, "float32"), 2, axis=-1)
    parts = [left * cos - right * sin, right * cos + left * sin]
    return ops.cast(ops.concatenate(parts, axis=-1), x.dtype)
