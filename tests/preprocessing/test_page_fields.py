"""Keys of a receipt to tags of its words, and back."""

from mbm_keras.preprocessing.page_fields import project
from mbm_keras.preprocessing.page_fields import tags_of
from mbm_keras.preprocessing.page_fields import values_of

WORDS = "TAN CO. Jl. 5, Johor RM9.00 9.00 Cash: 9.00 TOTAL: 9.00".split()
BOXES = [(0, 10 * i, 9, 10 * i + 9) for i in range(8)]
BOXES += [(10, 70, 19, 79), (0, 90, 9, 99), (10, 90, 19, 99)]


def test_a_value_is_found_without_regard_to_punctuation_and_case():
    found = project(WORDS, BOXES, "company", "Tan Co")
    assert (found.spans, found.kind) == (((0, 1),), "whole")


def test_of_several_totals_the_one_on_the_line_of_its_name_counts():
    assert project(WORDS, BOXES, "total", "9.00").spans == ((10, 10),)


def test_without_a_line_of_its_name_all_equal_words_count():
    assert project(WORDS, BOXES, "paid", "9.00").spans == ((6, 6), (8, 8), (10, 10))


def test_a_value_within_a_word_is_marked_as_such():
    found = project(WORDS[:6], BOXES[:6], "total", "9.00")
    assert (found.spans, found.kind) == (((5, 5),), "inside")


def test_the_longest_common_match_counts_if_it_is_most_of_the_value():
    found = project(WORDS, BOXES, "address", "Jl. 5, Johor B")
    assert (found.spans, found.kind) == (((2, 4),), "part")
    assert project(WORDS, BOXES, "address", "5 Kuala Lumpur").kind == "none"


def test_numbers_keep_their_point():
    assert project(["900"], [(0, 0, 1, 1)], "total", "9.00").kind == "none"


def test_tags_give_the_values_back():
    fields = {"company": "TAN CO.", "address": "Jl. 5, Johor", "total": "9.00"}
    tags, _ = tags_of(WORDS, BOXES, fields)
    found = values_of(WORDS, tags, [1.0] * len(tags))
    assert {key: value for key, (value, _, _) in found.items()} == fields


def test_of_two_marked_values_the_more_probable_one_is_the_answer():
    found = values_of(["1", "2"], ["B-total", "B-total"], [0.4, 0.9])
    assert found == {"total": ("2", (1, 1), 0.9)}


def test_a_key_that_is_empty_marks_nothing():
    assert tags_of(WORDS[:1], BOXES[:1], {"date": ""})[0] == ["O"]


def test_a_colon_before_a_value_is_no_part_of_it():
    assert values_of([":9.00"], ["B-total"], [1.0])["total"][0] == "9.00"
