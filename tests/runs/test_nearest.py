"""The nearest of many vectors, block by block."""

import importlib.util
import sys

import numpy as np
import pytest

from mbm_keras.runs import nearest as module
from mbm_keras.runs.nearest import nearest

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(300, 8)).astype("float32")
QUERIES = RNG.normal(size=(7, 8)).astype("float32")


def check(k):
    positions, scores = nearest(QUERIES, VECTORS, k)
    right = np.argsort(-QUERIES @ VECTORS.T, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(positions, right)
    expected = np.take_along_axis(QUERIES @ VECTORS.T, right, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("block", [10, 64, 300, 1_000])
def test_finds_what_a_full_sort_finds(block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    for k in (1, 5, 20):
        check(k)


def test_queries_are_answered_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "_SCORES", module._BLOCK)
    check(5)


def test_equal_scores_keep_the_order_of_the_vectors(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 16)
    positions, _ = nearest(QUERIES, np.ones((50, 8), "float32"), 3)
    assert positions.tolist() == [[0, 1, 2]] * 7


def test_there_may_be_fewer_vectors_than_asked_for():
    positions, scores = nearest(QUERIES, VECTORS[:3], 10)
    assert positions.shape == scores.shape == (7, 3)


def test_a_file_that_is_mapped_is_searched(tmp_path):
    np.save(tmp_path / "vectors.npy", VECTORS)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    found, right = nearest(QUERIES, mapped, 4), nearest(QUERIES, VECTORS, 4)
    np.testing.assert_array_equal(found[0], right[0])


def test_another_width_is_an_error():
    with pytest.raises(ValueError, match=r"of the width.*\(7, 8\), \(300, 4\), k=1"):
        nearest(QUERIES, VECTORS[:, :4], 1)


def test_another_engine_is_an_error():
    with pytest.raises(ValueError, match="engine in .'exact', 'faiss'.*'lucene'"):
        nearest(QUERIES, VECTORS, 1, engine="lucene")


def test_faiss_finds_the_same_or_says_how_to_install_it(monkeypatch):
    if importlib.util.find_spec("faiss"):
        found = nearest(QUERIES, VECTORS, 5, engine="faiss")
        np.testing.assert_array_equal(found[0], nearest(QUERIES, VECTORS, 5)[0])
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ModuleNotFoundError, match="pip install faiss-cpu"):
        nearest(QUERIES, VECTORS, 5, engine="faiss")
