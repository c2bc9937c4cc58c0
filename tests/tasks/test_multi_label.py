"""Metrics of several labels, by hand."""

import numpy as np
import pytest

from mbm_keras.tasks import MultiLabel

TRUTH = np.array([[1, 1, 0, 0], [0, 1, 0, 1]], "float32")
LOGITS = np.array([[2.0, -1.0, 3.0, -2.0], [-1.0, 0.5, 0.5, 0.5]], "float32")


def test_accuracy_is_the_share_of_right_decisions():
    accuracy, _ = MultiLabel(4).metrics()
    accuracy.update_state(TRUTH, LOGITS)
    assert float(accuracy.result()) == pytest.approx(5 / 8)


def test_f1_counts_hits_and_calls_of_all_batches():
    _, f1 = MultiLabel(4).metrics()
    for row in (slice(0, 1), slice(1, 2)):
        f1.update_state(TRUTH[row], LOGITS[row])
    # Hits: 1 and 2; false alarms: 1 and 1; misses: 1 and 0.
    assert float(f1.result()) == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))


def test_rows_count_with_their_weight():
    _, f1 = MultiLabel(4).metrics()
    f1.update_state(TRUTH, LOGITS, sample_weight=np.array([0.0, 5.0]))
    assert float(f1.result()) == pytest.approx(4 / 5)


def test_without_a_label_f1_is_0_and_a_logit_of_0_is_no_call():
    _, f1 = MultiLabel(4).metrics()
    f1.update_state(0 * TRUTH, 0 * LOGITS)
    assert float(f1.result()) == 0.0
