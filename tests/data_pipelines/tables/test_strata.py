"""Splits that have their share of every class."""

import numpy as np
import polars as pl
import pytest

from data_pipelines import sources
from data_pipelines.tables import splits
from data_pipelines.tables import strata

VALID = {"valid": 0.15}


def counts(classes, split, name):
    return np.bincount(classes[split == name], minlength=classes.max() + 1).tolist()


def rows_of(split, **columns):
    """A table whose target is `y`."""
    return {"y": ["a", "b"] * (len(split) // 2), "split": split, **columns}


@pytest.mark.parametrize("seed", range(3))
def test_each_class_gives_its_share(seed):
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    split = splits.by_fraction(np.arange(100), {"valid": 0.2}, seed, classes)
    assert counts(classes, split, "valid") == [12, 6, 2]


def test_a_class_of_two_rows_is_in_both_splits():
    classes = np.repeat([0, 1, 2], [96, 2, 2])
    split = splits.by_fraction(np.arange(100), VALID, 0, classes)
    assert counts(classes, split, "valid") == [13, 1, 1]


def test_a_class_of_one_row_is_in_training():
    classes = np.repeat([0, 1], [10, 1])
    for seed in range(20):
        split = splits.by_fraction(np.arange(11), VALID, seed, classes)
        assert counts(classes, split, "valid")[1] == 0


def test_many_small_classes_at_most_double_a_split():
    classes = np.repeat(np.arange(300), 2)
    split = splits.by_fraction(np.arange(600), VALID, 0, classes)
    assert splits.count(split) == {"train": 420, "valid": 180}
    assert min(counts(classes, split, "train")) == 1


def test_groups_do_not_cross_and_no_class_is_missing_in_training():
    rng = np.random.default_rng(0)
    for seed in range(20):
        groups = rng.integers(0, 8, 80)
        classes = np.where(groups < 2, 1, 0) + 2 * (groups == 7)
        split = splits.by_fraction(groups, {"valid": 0.3}, seed, classes)
        assert len(set(zip(groups, split, strict=True))) == len(set(groups))
        assert min(counts(classes, split, "train")) > 0 and "valid" in split


def test_groups_of_a_class_each_are_refused():
    with pytest.raises(ValueError, match="each has a class that no other has"):
        splits.by_fraction([0, 0, 1, 1], VALID, 0, np.array([0, 0, 1, 1]))


def test_folds_have_equal_shares_and_every_row_once():
    classes = np.repeat([0, 1], [90, 13])
    folds = splits.by_folds(np.arange(103), 5, 0, classes)
    assert np.bincount(folds).tolist() == [21, 21, 21, 20, 20]
    assert np.ptp(np.bincount(folds[classes == 1])) <= 1


def test_groups_do_not_cross_folds():
    groups = np.repeat(np.arange(7), 4)
    folds = splits.by_folds(groups, 3, 0)
    assert len(set(zip(groups, folds, strict=True))) == 7


def test_a_class_of_one_fold_stays_in_training():
    classes = np.repeat([0, 1], [9, 1])
    folds = splits.by_folds(np.arange(10), 2, 0, classes)
    for fold in range(2):
        split = splits.of_fold(np.arange(10), folds, fold, classes)
        assert split[-1] == "train" and 4 <= (split == "valid").sum() <= 5


@pytest.mark.parametrize("folds", [1, 4])
def test_more_folds_than_groups_are_refused(folds):
    with pytest.raises(ValueError, match=f"folds={folds}, 3 independent"):
        splits.by_folds(["a", "b", "c"], folds, 0)


@pytest.mark.parametrize(
    "values, classes",
    [
        (["x", "y", None, "x", "y"], [0, 1, -1, 0, 1]),
        ([True, False, True, False], [1, 0, 1, 0]),
        ([3, 1, 3, 1, 3], [1, 0, 1, 0, 1]),
        ([["b", "a"], ["a"], ["b", "a"], ["a"], []], [1, 0, 1, 0, -1]),
        ([0.5, 1.5, 0.5, 1.5], None),
        (list(range(60)), None),
        (["one", "two", "three", "four"], None),
    ],
)
def test_the_classes_of_a_target(values, classes):
    found = strata.classes_of(pl.Series("y", values, strict=False))
    assert (None if found is None else found.tolist()) == classes


def test_a_table_is_split_by_its_target():
    table = {"y": ["a"] * 38 + ["b"] * 2, "x": list(range(40))}
    rows = sources.open_table(table, target="y", fractions=VALID)
    assert rows.frame["y"].to_list()[38:] == ["b", "b"]
    assert set(rows.split[38:]) == {"train", "valid"}


def test_validation_is_drawn_from_train_and_test_is_left_alone():
    split = ["test" if i % 5 == 0 else "TRAIN" for i in range(100)]
    table = sources.open_table(rows_of(split), target="y", fractions=VALID)
    assert splits.count(table.split) == {"train": 68, "valid": 12, "test": 20}
    assert set(table.split[::5]) == {"test"}


@pytest.mark.parametrize("name", ["validation", "val", "dev", " Valid "])
def test_a_split_of_the_table_is_not_drawn_again(name):
    split = [name, "training", "training", "training"] * 5
    table = sources.open_table(rows_of(split), target="y", fractions=VALID)
    assert splits.count(table.split) == {"train": 15, "valid": 5}


def test_an_opened_table_gets_its_validation_too():
    split = ["test", "train", "train", "train"] * 5
    table = sources.open_table(rows_of(split), target="y")
    again = sources.open_table(table, fractions=VALID)
    assert splits.count(again.split) == {"train": 13, "valid": 2, "test": 5}


def test_an_empty_cell_in_the_split_column_is_an_error():
    split = ["train", None, "test", "train"]
    with pytest.raises(ValueError, match="None in row 2"):
        sources.open_table(rows_of(split), target="y")


def test_groups_do_not_cross_the_validation_that_is_drawn():
    split = ["test"] * 10 + ["train"] * 30
    speaker = [f"s{i // 5}" for i in range(40)]
    table = sources.open_table(
        rows_of(split, speaker=speaker), target="y", group="speaker", fractions=VALID
    )
    assert len(set(zip(speaker, table.split, strict=True))) == 8
