"""Recall and ranks of a search, with equal scores and several matches."""

import numpy as np
import pytest

from mbm_keras.metrics import retrieval_scores

EYE = np.eye(20, dtype="float32")
OWN = np.stack([np.arange(20)] * 2, axis=1)


def test_values_that_are_closest_to_their_own_are_found_first():
    scores = retrieval_scores(EYE, EYE, OWN)
    assert scores["recall_at_1"] == scores["mean_average_precision"] == 1
    assert scores["median_rank"] == 1


def test_constant_embeddings_find_nothing():
    scores = retrieval_scores(np.ones((20, 2)), np.ones((20, 2)), OWN)
    assert scores["recall_at_10"] == 0 and scores["median_rank"] == 20


def test_one_of_several_matches_is_enough():
    # Query 0 belongs to 3 and 4, and is closest to 4.
    pairs = np.array([[0, 3], [0, 4]])
    scores = retrieval_scores(EYE[4:5], EYE, pairs)
    assert scores["recall_at_1"] == 1
    # 4 is first; 3 is last of all, since the others score as high.
    assert scores["mean_average_precision"] == pytest.approx((1 + 2 / 20) / 2)


def test_a_match_does_not_count_as_a_rival_of_another_match():
    gallery = np.array([[1.0], [0.9], [0.8], [0.5]])
    scores = retrieval_scores([[1.0]], gallery, [[0, 2], [0, 1]])
    assert scores["median_rank"] == 2  # only the first one is ahead
    assert scores["mean_average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_recall_is_that_of_a_full_sort():
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(30, 4)), rng.normal(size=(40, 4))
    pairs = np.stack([np.arange(30), rng.integers(0, 40, 30)], axis=1)
    order = np.argsort(-queries @ gallery.T, axis=1)
    ranks = np.argmax(order == pairs[:, 1:], axis=1) + 1
    scores = retrieval_scores(queries, gallery, pairs)
    assert scores["median_rank"] == np.median(ranks)
    for k in (1, 5, 10):
        assert scores[f"recall_at_{k}"] == np.mean(ranks <= k)


def test_chance_is_the_recall_of_random_embeddings():
    rng = np.random.default_rng(0)
    pairs = np.stack([np.arange(400) // 2, np.arange(400) % 40], axis=1)
    scores = [
        retrieval_scores(rng.normal(size=(200, 4)), rng.normal(size=(40, 4)), pairs)
        for _ in range(20)
    ]
    for k in (1, 5, 10):
        found = np.mean([one[f"recall_at_{k}"] for one in scores])
        assert found == pytest.approx(scores[0][f"chance_at_{k}"], abs=0.02)


def test_a_small_gallery_is_found_by_chance_alone():
    scores = retrieval_scores(EYE[:3], EYE[:3], OWN[:3])
    assert scores["chance_at_5"] == 1
    assert scores["chance_at_1"] == pytest.approx(1 / 3)


def test_no_pair_is_an_error():
    with pytest.raises(ValueError, match="Expected a query that something belongs to"):
        retrieval_scores(EYE, EYE, np.zeros((0, 2)))
