"""A linear-chain conditional random field over the tags of a sentence.

    score(y) = start[y_1] + sum_t E[t, y_t] + sum_t A[y_{t-1}, y_t] + end[y_n]
    p(y)     = exp(score(y)) / Z,  Z = sum over all y of exp(score(y))

Source: Lafferty, McCallum and Pereira 2001, "Conditional Random Fields",
https://repository.upenn.edu/cis_papers/159, section 3; Lample et al. 2016, "Neural
Architectures for Named Entity Recognition", https://arxiv.org/abs/1603.01360, section
2.2, with scores E of a network. Deviation: none in the equations. The sums over tags
are products of matrices: a sequence of tags whose probability is below e^-85 of the
best one up to some word counts as that probable.

The gradient of log Z is written out, from alpha and beta, so that no loop is
differentiated: TensorFlow's XLA could not, and an unrolled loop takes long to trace.

Everything is computed in float32, also where a model computes in halves. Shapes:
`batch` rows, `steps` words, `tags` tags. A mask has the words of a row first; what
comes after them changes nothing. A row without a word has Z = 1 and score 0.
"""

from typing import Any

from keras import ops

FORBIDDEN = -1e4  # score of a transition that cannot be
_TINY = 1e-37


def path_score(
    emissions: Any, tags: Any, mask: Any, transitions: Any, start: Any, end: Any
) -> Any:
    """The score of given tags.

    Args:
        emissions: `(batch, steps, tags)`, E.
        tags: `(batch, steps)` int32, y.
        mask: `(batch, steps)` bool, True for words.
        transitions: `(tags, tags)`, A, from the first axis to the second.
        start: `(tags,)`.
        end: `(tags,)`.

    Returns:
        `(batch,)` float32.
    """
    emissions, transitions, start, end = _floats(emissions, transitions, start, end)
    tags, valid = ops.cast(tags, "int32"), ops.cast(mask, "float32")
    scores = ops.take_along_axis(emissions, tags[:, :, None], axis=2)[:, :, 0]
    moves = _moves(transitions, tags)  # (batch, steps - 1)
    length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (batch, 1)
    last = ops.take_along_axis(tags, ops.maximum(length - 1, 0), axis=1)[:, 0]
    ends = ops.take(start, tags[:, 0]) + ops.take(end, last)
    return (
        ops.sum(scores * valid, axis=1)
        + ops.sum(moves * valid[:, 1:], axis=1)
        + ends * valid[:, 0]
    )


def log_partition(
    emissions: Any, mask: Any, transitions: Any, start: Any, end: Any
) -> Any:
    """Log Z of every row, `(batch,)` float32; arguments as for `path_score`."""
    emissions, transitions, start, end = _floats(emissions, transitions, start, end)
    return _log_z(emissions, ops.cast(mask, "float32"), transitions, start, end)


@ops.custom_gradient
def _log_z(emissions, valid, transitions, start, end):
    """Log Z, and its gradient: the probability of what each score belongs to."""
    mask = valid > 0
    last, alpha = _forward(emissions, mask, transitions, start)
    log_z = _close(last, mask, end)

    def gradient(*upstream, **by_name):
        # Keras names the argument, TensorFlow and JAX do not.
        (scale,) = upstream or by_name.values()
        beta = _backward(emissions, mask, transitions, end)
        at = ops.exp(ops.minimum(alpha + beta - log_z[:, None, None], 0.0))
        at = at * (valid * scale[:, None])[:, :, None]  # (batch, steps, tags)
        # p(i, j) = w_i M_ij p(j) / sum_k w_k M_kj, where w = exp(alpha), M = exp(A)
        most = ops.max(alpha[:, :-1], axis=2, keepdims=True)
        weight = ops.exp(alpha[:, :-1] - most)
        matrix = ops.exp(transitions)
        reached = ops.maximum(ops.matmul(weight, matrix), _TINY)
        pairs = ops.einsum("bti,btj->ij", weight, at[:, 1:] / reached) * matrix
        closing = ops.softmax(last + end, axis=1) * (valid[:, :1] * scale[:, None])
        opening = ops.sum(at[:, 0], axis=0)
        return at, ops.zeros_like(valid), pairs, opening, ops.sum(closing, axis=0)

    return log_z, gradient


def log_likelihood(
    emissions: Any, tags: Any, mask: Any, transitions: Any, start: Any, end: Any
) -> Any:
    """Log p of given tags, `(batch,)` float32; arguments as for `path_score`."""
    score = path_score(emissions, tags, mask, transitions, start, end)
    return score - log_partition(emissions, mask, transitions, start, end)


def viterbi(emissions: Any, mask: Any, transitions: Any, start: Any, end: Any) -> Any:
    """The most probable tags, `(batch, steps)` int32, 0 for what is not a word.

    Arguments as for `path_score`. Of equally probable tags it takes the first ones.
    """
    emissions, transitions, start, end = _floats(emissions, transitions, start, end)
    emissions = ops.stop_gradient(emissions)
    num_tags = emissions.shape[2]
    same = ops.broadcast_to(
        ops.arange(num_tags, dtype="float32"), ops.shape(emissions[:, 0])
    )

    def advance(best, x):
        emission, valid, first = _split(x, num_tags)
        moved = best[:, :, None] + transitions  # (batch, from, to)
        # A float, since TensorFlow's scan gives the type that it takes.
        pointer = ops.cast(ops.argmax(moved, axis=1), "float32")  # (batch, to)
        moved = ops.where(first, start, ops.max(moved, axis=1))
        best = ops.where(valid, moved + emission, best)
        return best, ops.where(valid, pointer, same)

    best, pointers = ops.scan(
        advance, ops.zeros_like(emissions[:, 0]), _steps(emissions, mask)
    )

    def go_back(tag, pointer):
        before = ops.take_along_axis(pointer, tag[:, None], axis=1)[:, 0]
        return before, tag

    last = ops.cast(ops.argmax(best + end, axis=-1), "int32")
    pointers = ops.cast(pointers, "int32")
    _, tags = ops.scan(go_back, last, pointers, reverse=True)  # (steps, batch)
    return ops.where(mask, ops.swapaxes(tags, 0, 1), 0)


def marginals(
    emissions: Any, tags: Any, mask: Any, transitions: Any, start: Any, end: Any
) -> tuple[Any, Any, Any]:
    """Probabilities of the tags of each word, and of two neighbors.

    Args:
        emissions: As for `path_score`, as are the others.
        tags: `(batch, steps)` int32, the tags whose pairs are asked for.
        mask: `(batch, steps)` bool.
        transitions: `(tags, tags)`.
        start: `(tags,)`.
        end: `(tags,)`.

    Returns:
        all: `(batch, steps, tags)` float32, p(y_t); 0 for what is not a word.
        own: `(batch, steps)` float32, p(y_t) of the given tags.
        pairs: `(batch, steps)` float32, p(y_{t-1}, y_t) of the given tags; for the
            first word p(y_1).
    """
    emissions, transitions, start, end = _floats(emissions, transitions, start, end)
    last, alpha = _forward(emissions, mask, transitions, start)
    log_z = _close(last, mask, end)[:, None]
    beta = _backward(emissions, mask, transitions, end)
    valid = ops.cast(mask, "float32")
    probabilities = ops.exp(ops.minimum(alpha + beta - log_z[:, :, None], 0.0))
    probabilities = probabilities * valid[:, :, None]

    def of_tags(x):
        return ops.take_along_axis(x, tags[:, :, None], axis=2)[:, :, 0]

    own = of_tags(probabilities)
    pairs = of_tags(alpha)[:, :-1] + _moves(transitions, tags) - log_z
    pairs = pairs + of_tags(emissions + beta)[:, 1:]
    pairs = ops.exp(ops.minimum(pairs, 0.0))
    return probabilities, own, ops.concatenate([own[:, :1], pairs], axis=1) * valid


def _floats(*tensors):
    return [ops.cast(ops.convert_to_tensor(x), "float32") for x in tensors]


def _moves(transitions, tags):
    """A[y_{t-1}, y_t], `(batch, steps - 1)`."""
    flat = ops.reshape(transitions, (-1,))
    return ops.take(flat, tags[:, :-1] * transitions.shape[1] + tags[:, 1:])


def _steps(emissions, mask):
    """Emissions with two more columns: is it a word, is it the first one.

    `(steps, batch, tags + 2)`: one tensor, since TensorFlow's scan needs a static
    length for several.
    """
    valid = ops.cast(mask, "float32")
    first = ops.ones_like(valid[:, :1])
    first = ops.concatenate([first, ops.zeros_like(valid[:, 1:])], axis=1)
    x = ops.concatenate([emissions, valid[:, :, None], first[:, :, None]], axis=2)
    return ops.swapaxes(x, 0, 1)


def _split(x, num_tags):
    return x[:, :num_tags], x[:, num_tags : num_tags + 1] > 0, x[:, num_tags + 1 :] > 0


def _log_product(log_row, matrix):
    """log(exp(log_row) matrix), `(batch, tags)`, without overflow."""
    most = ops.max(log_row, axis=1, keepdims=True)
    product = ops.matmul(ops.exp(log_row - most), matrix)
    return ops.log(ops.maximum(product, _TINY)) + most


def _forward(emissions, mask, transitions, start):
    """Alpha of the last word `(batch, tags)`, and of all `(batch, steps, tags)`."""
    matrix = ops.exp(transitions)

    def advance(alpha, x):
        emission, valid, first = _split(x, emissions.shape[2])
        moved = ops.where(first, start, _log_product(alpha, matrix))
        alpha = ops.where(valid, moved + emission, alpha)
        return alpha, alpha

    zeros = ops.zeros_like(emissions[:, 0])
    last, alpha = ops.scan(advance, zeros, _steps(emissions, mask))
    return last, ops.swapaxes(alpha, 0, 1)


def _backward(emissions, mask, transitions, end):
    """beta, `(batch, steps, tags)`: what comes after each word, its end included."""
    matrix = ops.transpose(ops.exp(transitions))

    def go_back(beta, x):
        emission, valid, _ = _split(x, emissions.shape[2])
        return ops.where(valid, _log_product(beta + emission, matrix), beta), beta

    last = ops.zeros_like(emissions[:, 0]) + end
    steps = _steps(emissions, mask)
    # At step t the beta before the word t + 1 is advanced over it: the output of a step
    # is what came after it.
    _, beta = ops.scan(go_back, last, steps, reverse=True)
    return ops.swapaxes(beta, 0, 1)


def _close(last, mask, end):
    x = last + end
    most = ops.max(x, axis=1, keepdims=True)
    log_z = ops.log(ops.sum(ops.exp(x - most), axis=1)) + most[:, 0]
    return ops.where(mask[:, 0], log_z, ops.zeros_like(log_z))
