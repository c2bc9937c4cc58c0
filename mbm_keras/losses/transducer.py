"""The loss of a recurrent transducer (RNN-T), with its gradient in one pass."""

from typing import Any

from keras import ops

_NEVER = -1e30  # log probability of what cannot be; finite, so that sums of it are


def transducer_loss(ids: Any, logits: Any, lengths: Any, steps: Any) -> Any:
    """Minus the log probability of texts, the sum over their alignments.

    An alignment goes from `(0, 0)` to `(T, U)`: a blank at `(t, u)` leads to the next
    step, the symbol `y_{u+1}` to the next symbol in the same step.

        a(t, u) = a(t-1, u) p(blank | t-1, u) + a(t, u-1) p(y_u | t, u-1)
        b(t, u) = b(t+1, u) p(blank | t, u) + b(t, u+1) p(y_{u+1} | t, u)
        L       = -log a(T-1, U) p(blank | T-1, U)
        dL / d logits(t, u, k) = a(t, u) / e^-L times
            (p(k | t, u) b(t, u) - [k = blank] p(k | t, u) b(t+1, u)
                                 - [k = y_{u+1}] p(k | t, u) b(t, u+1))

    Both recursions are one loop over the diagonals `t + u`, which every alignment
    crosses once, on logarithms whose largest is 0 on each. The gradient is a value of
    it, so that no loop is differentiated.

    Source: Graves 2012, "Sequence Transduction with Recurrent Neural Networks",
    https://arxiv.org/abs/1211.3711, sections 2.3 to 2.5. Deviation: logarithms.

    Args:
        ids: `(batch, length)` int32, symbols of each text; 0 is the blank and padding.
        logits: `(batch, steps, length + 1, vocabulary_size)` float32, of every step
            after every number of symbols.
        lengths: `(batch,)` int32, symbols of each row.
        steps: `(batch,)` int32, steps of each row, 1 or more. What is after the steps
            or the symbols of a row is padding.

    Returns:
        `(batch,)` float32. It has a first derivative only.
    """
    ids, lengths, steps = (ops.cast(x, "int32") for x in (ids, lengths, steps))
    fixed = ops.stop_gradient(logits)
    log_p = ops.log_softmax(fixed, axis=-1)  # (batch, steps, length + 1, vocabulary)
    following = ops.pad(ids, [[0, 0], [0, 1]])  # the symbol after u
    named = ops.one_hot(following, logits.shape[-1], dtype="float32")[:, None]
    symbol = ops.sum(log_p * named, axis=3)  # (batch, steps, length + 1)

    # A cell is a pair (t, u) of a row; what is after the row is never reached.
    t = ops.arange(ops.shape(log_p)[1])[None, :, None]
    u = ops.arange(ops.shape(log_p)[2])[None, None]
    number, length = steps[:, None, None], lengths[:, None, None]
    is_cell = ops.logical_and(t < number, u <= length)
    is_last = ops.logical_and(t == number - 1, u == length)
    blank = ops.where(is_cell, log_p[:, :, :, 0], _NEVER)
    symbol = ops.where(ops.logical_and(is_cell, u < length), symbol, _NEVER)

    def turn(x):  # what is counted from the end, and back
        return ops.where(is_cell, _turn(x, lengths, steps), _NEVER)

    into = ops.concatenate([_shift(blank, 1, -1), turn(blank)])
    across = ops.concatenate([_shift(symbol, 2, -1), turn(symbol)])
    found, scales = _recursions(into, across)
    a, b = ops.split(found, 2)
    b = turn(b)

    ends = ops.where(is_last, a + blank, _NEVER)
    log_likelihood = ops.max(ends, axis=(1, 2))  # of one cell a row, (batch,)
    is_diagonal = ops.arange(ops.shape(scales)[1])[None] < (steps + lengths)[:, None]
    scales = ops.split(scales, 2)[0]  # (batch, diagonals)
    log_likelihood += ops.sum(ops.where(is_diagonal, scales, 0.0), axis=1)

    # Share of the alignments in a cell, and of these the share that a blank continues:
    # both ways lead to one diagonal, so that its scale does not matter.
    share = _softmax_of_diagonals(ops.where(is_cell, a + b, _NEVER))
    by_blank = ops.sigmoid(blank + _shift(b, 1, 1) - symbol - _shift(b, 2, 1))
    by_blank = by_blank[:, :, :, None]  # 1 in the last cell, which no symbol leaves
    blanks = ops.one_hot(ops.zeros_like(following), logits.shape[-1], dtype="float32")
    target = by_blank * blanks[:, None] + (1.0 - by_blank) * named
    gradient = share[:, :, :, None] * (ops.exp(log_p) - target)
    gradient = ops.stop_gradient(ops.where(is_cell[:, :, :, None], gradient, 0.0))
    # Zero, with the gradient as its derivative.
    slope = ops.sum(gradient * (logits - fixed), axis=(1, 2, 3))
    return slope - ops.stop_gradient(log_likelihood)


def _shift(x, axis, to):
    """The value of the cell before (-1) or after (1), in time (1) or symbols (2)."""
    pads = [[0, 0], [0, 0], [0, 0]]
    pads[axis] = [1, 0] if to < 0 else [0, 1]
    kept = slice(None, -1) if to < 0 else slice(1, None)
    padded = ops.pad(x, pads, constant_values=_NEVER)
    return padded[:, kept] if axis == 1 else padded[:, :, kept]


def _turn(x, lengths, steps):
    """Cells counted from the last one of each row."""
    t = steps[:, None] - 1 - ops.arange(ops.shape(x)[1])[None]
    u = lengths[:, None] - ops.arange(ops.shape(x)[2])[None]
    x = ops.take_along_axis(x, ops.maximum(t, 0)[:, :, None], axis=1)
    return ops.take_along_axis(x, ops.maximum(u, 0)[:, None], axis=2)


def _recursions(into, across):
    """Log probability of all ways to each cell from the first, without scales.

    Args:
        into: `(rows, steps, states)`, of the way to a cell from the step before.
        across: The same, from the symbol before.

    Returns:
        `(rows, steps, states)`, and the scale of each diagonal, `(rows, diagonals)`.
    """
    ways = [_diagonals(into), _diagonals(across)]  # (diagonals, rows, states) each
    # As if a sure blank led to the first cell.
    is_first = ops.arange(ops.shape(ways[0])[0])[:, None, None] < 1
    is_first = ops.logical_and(is_first, ops.arange(ops.shape(into)[2]) < 1)
    ways[0] = ops.where(is_first, 0.0, ways[0])
    start = ops.where(is_first[0], ops.zeros_like(into[:, 0]), _NEVER)
    start = ops.pad(start, [[0, 0], [0, 1]])

    def step(last, now):
        blank, symbol = now[0], now[1]
        last = last[:, :-1]
        before = ops.pad(last, [[0, 0], [1, 0]], constant_values=_NEVER)[:, :-1]
        reached = ops.logaddexp(last + blank, before + symbol)
        scale = ops.max(reached, axis=1, keepdims=True)
        reached = ops.concatenate([reached - scale, scale], axis=1)
        return reached, reached

    _, found = ops.scan(step, start, ops.stack(ways, axis=1))
    # (diagonals, rows, states + 1)
    found = ops.transpose(found, (1, 0, 2))
    return _cells(found[:, :, :-1], ops.shape(into)[1]), found[:, :, -1]


def _diagonals(x):
    """`(rows, steps, states)` to `(steps + states - 1, rows, states)`."""
    steps, states = ops.shape(x)[1:]
    n = ops.arange(steps + states - 1)[:, None]
    t = n - ops.arange(states)[None]  # (diagonals, states)
    index = ops.clip(t, 0, steps - 1)[None]
    x = ops.take_along_axis(x, index, axis=1)  # (rows, diagonals, states)
    is_step = ops.logical_and(t >= 0, t < steps)[None]
    return ops.transpose(ops.where(is_step, x, _NEVER), (1, 0, 2))


def _cells(x, steps):
    """`(rows, diagonals, states)` to `(rows, steps, states)`."""
    n = ops.arange(steps)[:, None] + ops.arange(ops.shape(x)[2])[None]
    return ops.take_along_axis(x, n[None], axis=1)


def _softmax_of_diagonals(x):
    """Exponentials of the cells, whose sum on every diagonal is 1."""
    shares = ops.softmax(ops.transpose(_diagonals(x), (1, 0, 2)), axis=-1)
    return _cells(shares, ops.shape(x)[1])
