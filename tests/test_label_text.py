"""Several labels in one cell."""

import pytest

from mbm_keras import label_text


@pytest.mark.parametrize(
    "texts, separator",
    [
        (["a|b", "a"], "|"),
        (["a | b", "a"], "| "),
        (["a;b", "a", "c"], ";"),
        (["a; b", "a", "c", "b"], "; "),
        (["a,b", "a", "b"], ","),
        (['["a", "b"]', "[]"], label_text.JSON),
        (["['a', 'b']", "['it']"], label_text.PYTHON),
        (["[1, 2]", "[2]"], label_text.NUMBERS),
        (["Rome, Italy", "Oslo, Norway", "Bergen, Norway"], None),
        (["yes", "no", "yes, maybe"], None),
        (["a dog runs, a cat sleeps", "a dog runs", "a cat sleeps"], None),
        (["red", "blue"], None),
        (["$^$", "$_{$"], None),
    ],
)
def test_the_separator_is_found_where_labels_recombine(texts, separator):
    assert label_text.find_separator(texts) == separator


def test_a_space_separates_only_where_cells_are_known_to_hold_several_labels():
    texts = ["haze primary", "primary", "haze"]
    assert label_text.find_separator(texts) is None
    assert label_text.any_separator(texts) == " "


@pytest.mark.parametrize(
    "text, separator, labels",
    [
        ("a| b |c", "|", ["a", "b", "c"]),
        ("a; b", "; ", ["a", "b"]),
        ("", "|", []),
        (["a|b", 1], "|", ["a|b", "1"]),
        (r'["a \"b\"", "ü"]', label_text.JSON, ['a "b"', "ü"]),
        ("['it\\'s', \"it's\"]", label_text.PYTHON, ["it's", "it's"]),
        ("[1, -2]", label_text.NUMBERS, ["1", "-2"]),
        ("haze  primary", " ", ["haze", "primary"]),
        (None, "|", []),
    ],
)
def test_a_cell_is_split_into_its_labels(text, separator, labels):
    assert label_text.split(text, separator) == labels


def test_whole_numbers_come_first_and_in_their_order():
    labels = ["b", "10", "9", "①", "01", "1", "-2", "--5", "9" * 5_000]
    ordered = sorted(labels, key=label_text.sort_key)
    assert ordered[:5] == ["-2", "01", "1", "9", "10"]
