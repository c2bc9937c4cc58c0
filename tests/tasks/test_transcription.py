"""CTC and its metric against enumeration; padding does not count."""

import itertools

import keras
import numpy as np
import pytest

from mbm_keras.metrics import edit_distance
from mbm_keras.tasks import Transcription
from mbm_keras.tasks.transcription import best_path
from mbm_keras.tasks.transcription import count_errors
from mbm_keras.tasks.transcription import num_needed_steps
from tests.helpers import numpy

TASK = Transcription(3)
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 1, (3, 5, 3)).astype("float32")
IDS = np.array([[1, 2, 0], [2, 2, 0], [1, 0, 0]])


def enumerated(logits):
    """Log probability by text, summed over all alignments."""
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    found = {}
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        text = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)
        score = log_p[range(len(path)), path].sum()
        found[text] = np.logaddexp(found.get(text, -np.inf), score)
    return found


def test_the_loss_is_minus_the_sum_over_all_alignments():
    for row, ids in enumerate(IDS):
        right = -enumerated(LOGITS[row])[tuple(ids[ids > 0].tolist())]
        seen = float(TASK.loss()(IDS[row : row + 1], LOGITS[row : row + 1]))
        assert seen == pytest.approx(right, abs=1e-4)


def test_every_row_has_its_own_number_of_steps():
    logits = LOGITS.copy()
    logits[0, 3:] = 0
    short = -enumerated(logits[0, :3])[(1, 2)]
    assert float(TASK.loss()(IDS[:1], logits[:1])) == pytest.approx(short, abs=1e-4)
    longer = np.pad(logits[:1], [[0, 0], [0, 4], [0, 0]])
    ids = np.pad(IDS[:1], [[0, 0], [0, 2]])
    assert float(TASK.loss()(ids, longer)) == pytest.approx(short, abs=1e-4)


def test_a_text_without_an_alignment_has_neither_loss_nor_gradient():
    logits = LOGITS.copy()
    logits[1, 2:] = 0  # two steps for 2, blank, 2
    assert numpy(num_needed_steps(IDS)).tolist() == [2, 3, 1]
    dense = keras.layers.Dense(3)
    x = keras.Input((None, 3))
    model = keras.Model(x, dense(x))
    model.set_weights([np.eye(3), np.zeros(3)])
    model.compile(keras.optimizers.SGD(1.0), TASK.loss(), run_eagerly=True)
    assert model.train_on_batch(logits[1:2, :2], IDS[1:2]) == 0
    assert np.isfinite(model.get_weights()[0]).all()
    np.testing.assert_array_equal(model.get_weights()[0], np.eye(3))
    both = float(TASK.loss()(IDS[:2], logits[:2]))
    assert both == pytest.approx(float(TASK.loss()(IDS[:1], logits[:1])) / 2)


def test_errors_of_the_best_path_are_its_edit_distance():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (30, 8, 4)).astype("float32")
    ids = np.zeros((30, 6), int)
    for row in range(30):
        logits[row, rng.integers(1, 9) :] = 0
        ids[row, : rng.integers(1, 7)] = rng.integers(1, 4)
    right = [
        edit_distance(path, row[row > 0].tolist())
        for path, row in zip(best_path(logits), ids, strict=True)
    ]
    assert numpy(count_errors(ids, logits)).tolist() == right
    metric = Transcription(4).metrics()[0]
    for part in (slice(0, 11), slice(11, 30)):
        metric.update_state(ids[part], logits[part])
    assert float(metric.result()) == pytest.approx(sum(right) / (ids > 0).sum())


def test_the_best_path_merges_repetitions_and_ends_with_the_padding():
    logits = np.eye(3)[[1, 1, 0, 1, 2, 2, 0, 0]][None]
    logits[0, 5:] = 0
    assert best_path(logits) == [[1, 1, 2]]


def test_the_head_gives_zeros_for_padding_alone():
    x = keras.Input((None, 4))
    masked = keras.layers.Masking()(x)
    model = keras.Model(x, TASK.head(masked))
    features = np.zeros((1, 3, 4), "float32")
    features[0, :2] = [[1, -1, 2, 0], [0, 0, 0, 1]]
    logits = numpy(model(features))
    assert (logits[0, :2] != 0).any(axis=-1).all() and (logits[0, 2] == 0).all()
    # Without a value there is a step, whose symbols are equally probable.
    assert (numpy(TASK.head(np.zeros((1, 1, 4)))) == 1).all()


def test_words_are_separated_by_their_symbol():
    task = Transcription(4, space=1)
    (text,) = task.to_texts([[2, 3, 1, 2, 0]])
    assert [len(word) for word in text.split()] == [2, 1]


@pytest.mark.parametrize("sizes", [(1, 0), (3, 3)])
def test_sizes_that_make_no_sense_are_an_error(sizes):
    with pytest.raises(ValueError, match="vocabulary_size >= 2 and 0 <= space"):
        Transcription(sizes[0], space=sizes[1])
