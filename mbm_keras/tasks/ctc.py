"""The loss of connectionist temporal classification, with its gradient in one pass."""

from typing import Any

from keras import ops

_NEVER = -1e30  # log probability of what cannot be; finite, so that sums of it are


def ctc_loss(ids: Any, logits: Any, lengths: Any, steps: Any) -> Any:
    """Minus the log probability of texts, the sum over their alignments.

        a_t(s) = p_t(z_s) (a_{t-1}(s) + a_{t-1}(s-1) + [may skip s-1] a_{t-1}(s-2))
        L      = -log (a_T(S) + a_T(S-1))
        dL / d logits_t(k) = p_t(k) - sum over z_s = k of a_t(s) b_t(s) / (p_t(k) e^-L)

    with `z` the symbols and a blank before, between and after them, and `b` the same
    recursion from the end. Both recursions are one loop over the steps, on logarithms
    whose largest is 0 at each step; the gradient is a value of it, so that no loop is
    differentiated.

    Source: Graves et al. 2006, "Connectionist Temporal Classification",
    https://doi.org/10.1145/1143844.1143891, section 4. Deviation: logarithms.

    Args:
        ids: `(batch, length)` int32, symbols of each text; 0 is the blank.
        logits: `(batch, steps, vocabulary_size)` float32.
        lengths: `(batch,)` int32, symbols of each row.
        steps: `(batch,)` int32, steps of each row, 1 or more. Those after it are
            padding.

    Returns:
        `(batch,)` float32. It has a first derivative only.
    """
    fixed = ops.stop_gradient(logits)
    log_p = ops.log_softmax(fixed, axis=-1)  # (batch, steps, vocabulary_size)
    states = _with_blanks(ids)  # (batch, 2 * length + 1)
    # The recursion from the end is that from the start, of what is turned around.
    time = _turn(ops.shape(log_p)[1], steps)  # (batch, steps)
    place = _turn(ops.shape(states)[1], 2 * lengths + 1)  # (batch, 2 * length + 1)
    back_states = ops.take_along_axis(states, place, axis=1)
    emitted = _emissions(log_p, states)  # (batch, steps, 2 * length + 1)
    back_log_p = ops.take_along_axis(log_p, time[:, :, None], axis=1)
    # (batch, steps, 2 * length + 1) twice, and (batch, steps) of the first
    forward, backward, scales = _recursions(
        [emitted, _emissions(back_log_p, back_states)], [states, back_states]
    )
    is_step = ops.arange(ops.shape(log_p)[1])[None] < steps[:, None]
    backward = ops.take_along_axis(backward, time[:, :, None], axis=1)
    backward = ops.take_along_axis(backward, place[:, None], axis=2)

    last = ops.take_along_axis(forward, steps[:, None, None] - 1, axis=1)[:, 0]
    ends = [2 * lengths, ops.maximum(2 * lengths - 1, 0)]
    ends = [ops.take_along_axis(last, end[:, None], axis=1)[:, 0] for end in ends]
    ends[1] = ops.where(lengths > 0, ends[1], _NEVER)
    log_likelihood = ops.logaddexp(*ends)  # (batch,)
    log_likelihood += ops.sum(ops.where(is_step, scales, 0.0), axis=1)

    # Shares of the states at each step, then of the symbols.
    share = forward + backward - emitted
    is_state = ops.arange(ops.shape(states)[1])[None] <= 2 * lengths[:, None]
    share = ops.softmax(ops.where(is_state[:, None], share, _NEVER), axis=-1)
    symbols = ops.one_hot(states, logits.shape[-1], dtype="float32")
    gradient = ops.exp(log_p) - ops.matmul(share, symbols)
    gradient = ops.stop_gradient(ops.where(is_step[:, :, None], gradient, 0.0))
    # Zero, with the gradient as its derivative.
    slope = ops.sum(gradient * (logits - fixed), axis=(1, 2))
    return slope - ops.stop_gradient(log_likelihood)


def _with_blanks(ids):
    """A blank before, between and after the symbols, `(batch, 2 * length + 1)`."""
    pairs = ops.stack([ops.zeros_like(ids), ids], axis=2)
    size, length = ops.shape(ids)
    pairs = ops.reshape(pairs, (size, 2 * length))
    return ops.pad(pairs, [[0, 0], [0, 1]])


def _turn(size, lengths):
    """Positions from the end of each row to its start, 0 after it, `(batch, size)`."""
    return ops.maximum(lengths[:, None] - 1 - ops.arange(size)[None], 0)


def _emissions(log_p, states):
    """Log probability of each state at each step, `(batch, steps, states)`."""
    index = ops.repeat(states[:, None], ops.shape(log_p)[1], axis=1)
    return ops.take_along_axis(log_p, index, axis=2)


def _recursions(emissions, states):
    """Log probability of all alignments up to each step and state, for each pair.

    Without the scale of each step, which is returned for the first.
    """
    emitted = ops.transpose(ops.concatenate(emissions), (1, 0, 2))
    states = ops.concatenate(states)  # (2 * batch, states)
    before = ops.pad(states, [[0, 0], [2, 0]])[:, :-2]
    skip = ops.where(ops.logical_and(states > 0, states != before), 0.0, _NEVER)
    # As if in the first blank: the first step is in it, or in the first symbol.
    first = ops.where(ops.arange(ops.shape(states)[1] + 1) < 1, 0.0, _NEVER)
    first = ops.zeros_like(emitted[0, :, :1]) + first[None]

    def step(last, now):
        last = last[:, :-1]
        padded = ops.pad(last, [[0, 0], [2, 0]], constant_values=_NEVER)
        one, two = padded[:, 1:-1], padded[:, :-2] + skip
        most = ops.maximum(ops.maximum(last, one), two)
        total = ops.exp(last - most) + ops.exp(one - most) + ops.exp(two - most)
        found = _rescale(most + ops.log(total) + now)
        return found, found

    _, found = ops.scan(step, first, emitted)  # (steps, 2 * batch, states + 1)
    forward, backward = ops.split(ops.transpose(found, (1, 0, 2)), 2)
    return forward[:, :, :-1], backward[:, :, :-1], forward[:, :, -1]


def _rescale(x):
    """What is left when the largest of each row is 0, and in the end that largest."""
    scale = ops.max(x, axis=1, keepdims=True)
    return ops.concatenate([x - scale, scale], axis=1)
