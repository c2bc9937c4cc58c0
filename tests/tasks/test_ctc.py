"""The loss of CTC and its gradient, against that of Keras and against enumeration."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mbm_keras.tasks.ctc import ctc_loss


def rows(size, steps, symbols, length, seed=0):
    rng = np.random.default_rng(seed)
    logits = (3 * rng.normal(size=(size, steps, symbols))).astype("float32")
    lengths = rng.integers(0, length + 1, size).astype("int32")
    counts = rng.integers(max(2 * length, 1), steps + 1, size).astype("int32")
    ids = rng.integers(1, symbols, (size, length)).astype("int32")
    ids[np.arange(length) >= lengths[:, None]] = 0
    return ids, logits, lengths, counts


def with_gradient(loss, logits):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = loss(logits)
    return found.numpy(), tape.gradient(found, logits).numpy()


def test_loss_and_gradient_are_those_of_keras_at_real_lengths():
    ids, logits, lengths, steps = rows(12, 30, 5, 7)
    assert lengths.min() == 0 and steps.min() < 30 and len(set(steps)) > 3
    x = tf.constant(logits)
    seen = with_gradient(lambda x: ctc_loss(tf.constant(ids), x, lengths, steps), x)
    right = with_gradient(
        lambda x: ops.ctc_loss(ids, x, lengths, steps, mask_index=0), x
    )
    np.testing.assert_allclose(seen[0], right[0], rtol=1e-5)
    np.testing.assert_allclose(seen[1], right[1], atol=1e-5)


def test_what_is_after_the_end_of_a_row_has_no_effect_and_no_gradient():
    ids, logits, lengths, steps = rows(6, 20, 4, 5)
    other = logits.copy()
    other[np.arange(20) >= steps[:, None]] = 50.0
    seen = with_gradient(
        lambda x: ctc_loss(tf.constant(ids), x, lengths, steps), tf.constant(other)
    )
    np.testing.assert_array_equal(seen[0], ctc_loss(ids, logits, lengths, steps))
    assert not seen[1][np.arange(20) >= steps[:, None]].any()


@pytest.mark.parametrize("scale", [1e-3, 200.0])
def test_sure_and_unsure_steps_have_finite_gradients(scale):
    ids, logits, lengths, steps = rows(8, 300, 6, 12)
    x = tf.constant(scale * logits)
    for part in with_gradient(
        lambda x: ctc_loss(tf.constant(ids), x, lengths, steps), x
    ):
        assert np.isfinite(part).all()


def test_a_graph_takes_rows_of_any_length():
    spec = [tf.TensorSpec((None, None), tf.int32)]
    spec += [tf.TensorSpec((None, None, 4)), *[tf.TensorSpec((None,), tf.int32)] * 2]
    traced = tf.function(ctc_loss, input_signature=spec)
    for steps, length in ((9, 3), (14, 5), (1, 0)):
        given = rows(3, max(steps, 2 * length), 4, length)
        right = ctc_loss(*given)
        np.testing.assert_allclose(traced(*given).numpy(), right, rtol=1e-5)


def test_one_step_of_one_symbol_is_its_probability():
    logits = np.array([[[0.3, 1.0, -2.0]]], "float32")
    log_p = logits - np.log(np.exp(logits).sum())
    for ids, length in (([[2]], 1), ([[0]], 0)):
        numbers = (np.array(x, "int32") for x in ([length], [1]))
        loss = ctc_loss(np.array(ids, "int32"), logits, *numbers)
        assert float(loss[0]) == pytest.approx(-log_p[0, 0, ids[0][0]], abs=1e-6)


def test_the_gradient_is_that_of_finite_differences():
    ids, logits, lengths, steps = rows(2, 8, 3, 3, seed=1)
    loss = keras.tree.map_structure(tf.constant, (ids, lengths, steps))
    _, gradient = with_gradient(
        lambda x: ctc_loss(loss[0], x, loss[1], loss[2]), tf.constant(logits)
    )
    for row, step, symbol in ((0, 0, 1), (1, 2, 0), (0, 4, 2)):
        ends = []
        for change in (-0.01, 0.01):
            moved = logits.copy()
            moved[row, step, symbol] += change
            ends.append(float(ops.sum(ctc_loss(ids, moved, lengths, steps))))
        slope = (ends[1] - ends[0]) / 0.02
        assert gradient[row, step, symbol] == pytest.approx(slope, abs=2e-3)
