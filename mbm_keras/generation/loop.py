"""The loop of searches that follow one sequence per row."""

from keras import ops
from keras import tree

NEVER = -1e9  # log probability of what cannot happen


def generate(step, state, context, choose, max_length, end, exclude):
    """Decodes one sequence per row.

    Args:
        step: See `mbm_keras.generation.Search`.
        state: See `Search`.
        context: See `Search`.
        choose: `choose(log_p, t)` maps log probabilities `(batch, vocabulary_size)` at
            step `t` to tokens `(batch,)`.
        max_length: See `Search`.
        end: See `Search`.
        exclude: See `Search`.

    Returns:
        `(batch, max_length)` int32, zeros after the end.
    """
    flat = tree.flatten(state)  # `while_loop` takes no nested structures
    batch = ops.shape(flat[0])[0]
    tokens = ops.zeros((batch, max_length), "int32")
    ended = ops.zeros((batch,), "bool")

    def condition(t, tokens, ended, *flat):
        return ops.logical_and(t < max_length, ops.logical_not(ops.all(ended)))

    def body(t, tokens, ended, *flat):
        last = ops.take(tokens, ops.maximum(t - 1, 0), axis=1)  # (batch,)
        logits, new = step(last, tree.pack_sequence_as(state, flat), context)
        token = ops.cast(choose(log_probabilities(logits, exclude), t), "int32")
        token = ops.where(ended, 0, token)
        tokens = ops.where(ops.arange(max_length) == t, token[:, None], tokens)
        ended = ops.logical_or(ended, token == end)
        return t + 1, tokens, ended, *tree.flatten(new)

    first = (ops.convert_to_tensor(0, "int32"), tokens, ended, *flat)
    return ops.while_loop(condition, body, first)[1]


def log_probabilities(logits, exclude):
    """Log softmax `(batch, vocabulary_size)` float32, -1e9 for excluded tokens."""
    log_p = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    for token in exclude:
        log_p = ops.where(ops.arange(logits.shape[-1]) == token, NEVER, log_p)
    return log_p
