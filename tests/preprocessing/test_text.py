"""WordIds: lookup, padding, cutting, unknown words, letters beyond ASCII."""

import pytest
import tensorflow as tf

from mbm_keras.preprocessing import WordIds


@pytest.mark.parametrize(
    "text, ids",
    [
        ("Ein Café!", [2, 3, 0]),
        ("EIN, ein zwei", [2, 2, 1]),
        ("ein ein ein ein", [2, 2, 2]),
        ("CAFÉ", [3, 0, 0]),
        ("", [0, 0, 0]),
    ],
)
def test_ids(text, ids):
    words = WordIds(3, ["ein", "café"])
    assert words(tf.constant(text)).numpy().tolist() == ids


def test_learns_words_by_frequency_and_the_longest_text():
    words = WordIds()
    words.adapt(["b a", "", "a c a!"])
    assert words.vocabulary[0] == "a" and set(words.vocabulary) == {"a", "b", "c"}
    assert words.sequence_length == 3
    assert words.sizes() == {"vocabulary_size": 5}


def test_no_words_is_an_error():
    with pytest.raises(ValueError, match="no word"):
        WordIds().adapt(["", "!?"])


def test_invalid_utf_8_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError):
        WordIds(3, ["a"])(tf.constant(b"\xff\xfe"))
