"""Keep only the most probable tokens, before one of them is drawn."""

from typing import Any

from keras import ops

from mbm_keras.generation.loop import NEVER


def truncate_logits(
    logits: Any, top_k: int | None = None, top_p: float | None = None
) -> Any:
    """Makes all but the most probable tokens impossible.

    Args:
        logits: `(batch, vocabulary_size)`.
        top_k: int >= 1, how many tokens remain; None for all.
        top_p: float in (0, 1], the probability that the remaining tokens have together,
            at least; the fewest such tokens remain; None for all.

    Returns:
        `(batch, vocabulary_size)`, the logits of tokens that remain, -1e9 elsewhere.
    """
    if top_k is not None:
        best, _ = ops.top_k(logits, min(top_k, logits.shape[-1]))  # (batch, top_k)
        logits = ops.where(logits < best[:, -1:], NEVER, logits)
    if top_p is not None:
        descending = ops.flip(ops.sort(logits, axis=-1), axis=-1)
        p = ops.softmax(descending, axis=-1)
        more_probable = ops.cumsum(p, axis=-1) - p  # sum over the tokens before
        kept = ops.where(more_probable < top_p, descending, -NEVER)
        least = ops.min(kept, axis=-1)  # (batch,)
        logits = ops.where(logits < least[:, None], NEVER, logits)
    return logits
