"""F1 of entities in a graph, against the same from lists of tags."""

import numpy as np
import pytest

from mbm_keras.metrics import entity_scores
from mbm_keras.preprocessing.tags import repair
from mbm_keras.sentence_answers import Layout
from mbm_keras.tasks.entity_score import EntityF1

BIO = ("O", "B-a", "I-a", "B-b", "I-b")
BIOES = (*BIO, "E-a", "S-a", "E-b", "S-b")


def make_batch(tags, seed, rows=40, words=7):
    """True and predicted ids, six of ten alike; sentences have 1 to 7 words."""
    rng = np.random.default_rng(seed)
    true, other = rng.integers(1, len(tags) + 1, (2, rows, words))
    found = np.where(rng.random((rows, words)) < 0.6, true, other)
    true[np.arange(words) >= rng.integers(1, words + 1, (rows, 1))] = 0
    return true, found


def to_model(true, found, tags):
    """As a model of two intents and these tags has them."""
    layout, words = Layout(2, len(tags)), found.shape[1]
    positions = np.arange(layout.size(words), dtype="float32")[None]
    output = np.zeros((len(found), positions.size), "float32")
    output[:, np.asarray(layout.tags(positions))[0].astype(int)] = found
    return np.concatenate([np.ones((len(true), 1), int), true], axis=1), output


@pytest.mark.parametrize("tags", [BIO, BIOES], ids=["BIO", "BIOES"])
def test_it_is_that_of_the_lists_over_several_batches(tags):
    metric, lists = EntityF1(2, tags), ([], [])
    for seed in range(3):
        true, found = make_batch(tags, seed)
        metric.update_state(*to_model(true, found, tags))
        for kept, ids in zip(lists, (true, found), strict=True):
            rows = zip(ids, (true > 0).sum(axis=1), strict=True)
            kept += [repair([tags[i - 1] for i in row[:n]]) for row, n in rows]
    expected = entity_scores(*lists)["f1"]
    assert 0.1 < expected < 0.9
    np.testing.assert_allclose(float(metric.result()), expected, atol=1e-6)


def test_rows_of_weight_zero_do_not_count():
    true, found = make_batch(BIO, 0)
    truth, output = to_model(true, found, BIO)
    some, all_rows = EntityF1(2, BIO), EntityF1(2, BIO)
    some.update_state(truth[:10], output[:10])
    all_rows.update_state(truth, output, np.arange(40) < 10)
    assert float(some.result()) == float(all_rows.result()) > 0


def test_a_tag_that_is_not_learned_counts_as_missed():
    truth, output = to_model(np.array([[6, 2]]), np.array([[1, 2]]), BIO)
    metric = EntityF1(2, BIO)
    metric.update_state(truth, output)
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_its_config_makes_it_again():
    metric = EntityF1(2, BIO, name="f1")
    again = EntityF1.from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
