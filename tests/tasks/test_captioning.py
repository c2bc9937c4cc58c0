"""Losses and metrics of words, against NumPy; padding does not count."""

import keras
import numpy as np
import pytest

from mbm_keras.tasks import Captioning
from tests.helpers import numpy

IDS = np.array([[3, 1, 2, 0], [2, 0, 0, 0]])
LOGITS = np.random.default_rng(0).normal(0, 1, (2, 4, 5)).astype("float32")
TASK = Captioning(5, 4)


def log_p():
    p = LOGITS - np.log(np.exp(LOGITS).sum(axis=-1, keepdims=True))
    return [p[0, range(3), IDS[0, :3]], p[1, :1, IDS[1, 0]]]


def test_the_loss_is_minus_the_log_probability_of_the_text():
    first, second = log_p()
    seen = float(TASK.loss()(IDS, LOGITS))
    assert seen == pytest.approx(-(first.sum() + second.sum()) / 2, abs=1e-5)
    weights = np.array([1.0, 0.0])
    seen = float(TASK.loss()(IDS, LOGITS, sample_weight=weights))
    assert seen == pytest.approx(-first.sum() / 2, abs=1e-5)


def test_metrics_are_means_over_words():
    accuracy, perplexity = TASK.metrics()
    for part in (slice(0, 1), slice(1, 2)):  # over batches too
        accuracy.update_state(IDS[part], LOGITS[part])
        perplexity.update_state(IDS[part], LOGITS[part])
    each = np.concatenate(log_p())
    assert float(perplexity.result()) == pytest.approx(np.exp(-each.mean()), rel=1e-5)
    right = (LOGITS.argmax(axis=-1) == IDS)[IDS > 0]
    assert float(accuracy.result()) == pytest.approx(right.mean())


def test_padding_does_not_change_the_loss():
    longer = np.pad(IDS, [[0, 0], [0, 3]])
    logits = np.concatenate([LOGITS, np.full((2, 3, 5), 9.0, "float32")], axis=1)
    loss = TASK.loss()
    assert float(loss(longer, logits)) == pytest.approx(float(loss(IDS, LOGITS)))


def test_the_head_gives_logits_of_every_step_in_float32():
    x = keras.Input((None, 6), dtype="float16")
    out = TASK.head(x)
    assert out.shape == (None, None, 5) and out.dtype == "float32"
    model = keras.Model(x, out)
    assert numpy(model(np.ones((2, 3, 6)))).shape == (2, 3, 5)


def test_the_target_is_fed_as_an_input():
    inputs, targets = TASK.feed({"photo": 1}, {"words": IDS})
    assert inputs == {"photo": 1, "words_teacher": IDS}
    assert targets == {"words": IDS}
