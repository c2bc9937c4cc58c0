"""The loss of a transducer and its gradient, against the sum over all alignments."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras import losses
from tests.helpers import on_jax

LENGTHS = np.array([3, 2, 0, 1, 3, 2], "int32")
STEPS = np.array([5, 4, 3, 1, 1, 5], "int32")
_RNG = np.random.default_rng(0)
LOGITS = (2 * _RNG.normal(size=(6, 5, 4, 4))).astype("float32")
IDS = _RNG.integers(1, 4, (6, 3)).astype("int32")
IDS[np.arange(3) >= LENGTHS[:, None]] = 0

ON_JAX = """
import sys
import jax
import keras
import numpy as np
from mbm_keras.losses import transducer_loss
assert keras.backend.backend() == "jax"
given = np.load(sys.argv[1])
arguments = [given[name] for name in ("logits", "ids", "lengths", "steps")]
def total(logits, ids, lengths, steps):
    return transducer_loss(ids, logits, lengths, steps).sum()
found = jax.jit(jax.value_and_grad(total))(*arguments)
np.testing.assert_allclose(found[0], given["total"], rtol=1e-5)
np.testing.assert_allclose(found[1], given["gradient"], atol=1e-5)
"""


def enumerate_alignments(logits, ids, steps):
    """Minus the log of the sum over the steps that each symbol may be in."""
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    found = []
    for heard in itertools.combinations_with_replacement(range(steps), len(ids)):
        counts = [sum(t <= step for t in heard) for step in range(steps)]
        blanks = sum(log_p[t, u, 0] for t, u in enumerate(counts))
        symbols = sum(log_p[t, u, ids[u]] for u, t in enumerate(heard))
        found.append(blanks + symbols)
    return -np.logaddexp.reduce(found)


def enumerated(logits):
    rows = zip(logits.astype("float64"), IDS, LENGTHS, STEPS, strict=True)
    return [enumerate_alignments(z, ids[:n], steps) for z, ids, n, steps in rows]


def with_gradient(logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = losses.transducer_loss(IDS, logits, LENGTHS, STEPS)
    return found.numpy(), tape.gradient(found, logits).numpy()


def test_loss_is_the_sum_over_all_alignments():
    found = losses.transducer_loss(IDS, LOGITS, LENGTHS, STEPS)
    np.testing.assert_allclose(found, enumerated(LOGITS), rtol=1e-6)


def test_gradient_is_the_slope_of_that_sum():
    _, gradient = with_gradient(LOGITS)
    slopes = np.zeros(LOGITS.shape)
    for where in np.ndindex(LOGITS.shape[1:]):
        ends = []
        for change in (-1e-4, 1e-4):
            moved = LOGITS.astype("float64")
            moved[:, *where] += change
            ends.append(np.array(enumerated(moved)))
        slopes[:, *where] = (ends[1] - ends[0]) / 2e-4
    np.testing.assert_allclose(gradient, slopes, atol=1e-5)


def test_what_is_after_the_end_of_a_row_has_no_effect():
    u, t = np.arange(4)[None, None], np.arange(5)[None, :, None]
    after = (t >= STEPS[:, None, None]) | (u > LENGTHS[:, None, None])
    loss, gradient = with_gradient(np.where(after[..., None], 50.0, LOGITS))
    np.testing.assert_allclose(loss, enumerated(LOGITS), rtol=1e-6)
    assert after.any() and not gradient[after].any()


@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_long_rows_have_a_finite_gradient(scale):
    rng = np.random.default_rng(1)
    logits = (scale * rng.normal(size=(2, 200, 31, 5))).astype("float32")
    ids = rng.integers(1, 5, (2, 30)).astype("int32")
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.transducer_loss(ids, logits, [30, 20], [200, 150])
    gradient = tape.gradient(loss, logits).numpy()
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()
    # Every alignment begins in the first cell: p less the shares of its symbols.
    first = tf.nn.softmax(logits[:, 0, 0]).numpy() - gradient[:, 0, 0]
    np.testing.assert_allclose(first.sum(axis=-1), 1.0, atol=1e-5)


def test_a_graph_takes_rows_of_any_length():
    spec = [tf.TensorSpec((None, None), tf.int32)]
    spec += [
        tf.TensorSpec((None, None, None, 4)),
        *[tf.TensorSpec((None,), "int32")] * 2,
    ]
    traced = tf.function(losses.transducer_loss, input_signature=spec)
    for end in (6, 4):
        steps, length = STEPS[:end].max(), LENGTHS[:end].max()
        given = IDS[:end, :length], LOGITS[:end, :steps, : length + 1]
        found = traced(*given, LENGTHS[:end], STEPS[:end])
        np.testing.assert_allclose(found, enumerated(LOGITS)[:end], rtol=1e-6)


@pytest.mark.slow
def test_loss_and_gradient_are_the_same_on_jax(tmp_path):
    pytest.importorskip("jax")
    loss, gradient = with_gradient(LOGITS)
    given = dict(logits=LOGITS, ids=IDS, lengths=LENGTHS, steps=STEPS)
    path = tmp_path / "given.npz"
    np.savez(path, **given, total=loss.sum(), gradient=gradient)
    on_jax(ON_JAX, path)
