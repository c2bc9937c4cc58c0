"""Scores of labels and numbers, compared with scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from mbm_keras import metrics

RNG = np.random.default_rng(0)
LABELS = ["a", "b", "c", "d"]
# Rounded: many ties. No row has the last class.
LOGITS = RNG.normal(size=(200, 4)).round(1)
TRUTH = RNG.integers(0, 3, 200)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
CHOSEN = LOGITS.argmax(axis=1)


@pytest.fixture(scope="module")
def scores():
    return metrics.classification_scores(LOGITS, TRUTH, LABELS)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_means_over_classes(scores):
    assert scores["accuracy"] == pytest.approx(np.mean(CHOSEN == TRUTH))
    balanced = reference.balanced_accuracy_score(TRUTH, CHOSEN)
    assert scores["balanced_accuracy"] == pytest.approx(balanced)
    f1 = reference.f1_score(TRUTH, CHOSEN, average="macro")
    assert scores["f1_macro"] == pytest.approx(f1)
    loss = reference.log_loss(TRUTH, PROBABILITIES, labels=range(4))
    assert scores["log_loss"] == pytest.approx(loss)


def test_each_class_has_its_scores(scores):
    wanted = reference.precision_recall_fscore_support(
        TRUTH, CHOSEN, labels=range(4), zero_division=np.nan
    )
    for i, label in enumerate(LABELS[:3]):
        found = scores["classes"][label]
        found = [found[name] for name in ("precision", "recall", "f1", "support")]
        assert found == pytest.approx([column[i] for column in wanted])


def test_a_class_without_rows_has_no_recall_and_is_in_no_mean(scores):
    assert scores["classes"]["d"]["support"] == 0
    assert scores["classes"]["d"]["recall"] is scores["classes"]["d"]["roc_auc"] is None
    columns = [metrics.roc_auc(TRUTH == i, PROBABILITIES[:, i]) for i in range(3)]
    assert scores["roc_auc"] == pytest.approx(np.mean(columns), abs=1e-4)


@pytest.mark.parametrize("column", range(3))
def test_ranking_with_ties(column):
    truth, rank = TRUTH == column, LOGITS[:, column].round()
    auc = reference.roc_auc_score(truth, rank)
    assert metrics.roc_auc(truth, rank) == pytest.approx(auc)
    precision = reference.average_precision_score(truth, rank)
    assert metrics.average_precision(truth, rank) == pytest.approx(precision)


def test_equal_scores_rank_like_chance():
    truth = np.arange(10) < 3
    assert metrics.roc_auc(truth, np.zeros(10)) == 0.5
    assert metrics.average_precision(truth, np.zeros(10)) == pytest.approx(0.3)


def test_without_both_kinds_of_rows_there_is_no_auc():
    assert metrics.roc_auc([True, True], [0.1, 0.2]) is None
    assert metrics.average_precision([False], [0.1]) is None


def test_of_two_classes_the_second_is_ranked():
    truth = TRUTH[TRUTH < 2]
    logits = LOGITS[TRUTH < 2, :2]
    found = metrics.classification_scores(logits, truth, ["no", "yes"])
    rank = logits[:, 1] - logits[:, 0]
    auc = reference.roc_auc_score(truth, rank.round(6))
    assert found["roc_auc"] == pytest.approx(auc, abs=2e-3)
    precision = reference.average_precision_score(truth, rank.round(6))
    assert found["average_precision"] == pytest.approx(precision, abs=2e-3)


def test_several_labels():
    truth = RNG.integers(0, 2, (100, 3))
    logits = RNG.normal(size=(100, 3)).round(1)
    found = metrics.multi_label_scores(logits, truth, LABELS[:3])
    chosen = logits > 0
    for average in ("micro", "macro"):
        f1 = reference.f1_score(truth, chosen, average=average)
        assert found[f"f1_{average}"] == pytest.approx(f1)
    assert found["subset_accuracy"] == reference.accuracy_score(truth, chosen)
    auc = reference.roc_auc_score(truth, logits, average="macro")
    assert found["roc_auc"] == pytest.approx(auc)
    precision = reference.average_precision_score(truth, logits, average="macro")
    assert found["average_precision"] == pytest.approx(precision)
    losses = [
        reference.log_loss(truth[:, i], 1 / (1 + np.exp(-logits[:, i])))
        for i in range(3)
    ]
    assert found["log_loss"] == pytest.approx(np.mean(losses))


def test_numbers():
    truth = RNG.normal(size=50)
    predicted = truth + RNG.normal(size=50)
    found = metrics.regression_scores(predicted[:, None], truth)
    assert found == pytest.approx(
        {
            "mae": reference.mean_absolute_error(truth, predicted),
            "rmse": reference.root_mean_squared_error(truth, predicted),
            "median_absolute_error": reference.median_absolute_error(truth, predicted),
            "r2": reference.r2_score(truth, predicted),
        }
    )


def test_equal_numbers_have_no_r2():
    assert metrics.regression_scores([1.0, 2.0], [1.0, 1.0])["r2"] is None
