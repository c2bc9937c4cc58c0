"""WordGrams: weights as scikit-learn's, in one array after the word ids."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfVectorizer

from mbm_keras.preprocessing import WordGrams
from mbm_keras.preprocessing import WordIds
from tests.helpers import assert_corrupt

TEXTS = ["to be or not to be", "Not a bee!", "be a bee, be a bee", "", "or not"]


@pytest.fixture(scope="module")
def grams():
    made = WordGrams()
    made.adapt(TEXTS)
    return made


def weights_of(made, texts):
    """`(texts, grams)` weights scaled to length one, as a tower reads them."""
    codes = made.decode(tf.constant(texts))[0].numpy()[:, made.sequence_length :]
    size = made.sizes()["num_grams"]
    dense = np.zeros((len(texts), size))
    for row, values in zip(dense, codes, strict=True):
        np.add.at(row, values % size, values // size)
    return dense[:, 1:] / np.maximum(np.linalg.norm(dense, axis=1), 1)[:, None]


def test_weights_are_those_of_scikit_learn(grams):
    peer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"
    ).fit(TEXTS)
    texts = ["to be a bee, to be!", "not be", "never or?"]
    expected = peer.transform(texts).toarray()
    columns = [peer.vocabulary_[gram] for gram in grams.grams]
    np.testing.assert_allclose(
        weights_of(grams, texts), expected[:, columns], atol=1e-4
    )


def test_the_words_come_first_as_from_word_ids(grams):
    words = WordIds()
    words.adapt(TEXTS)
    codes, valid = grams.decode(tf.constant(TEXTS))
    expected, _ = words.decode(tf.constant(TEXTS))
    np.testing.assert_array_equal(codes[:, :6], expected)
    assert codes.shape == (5, 6 + grams.room) and valid.numpy().tolist() == [
        1,
        1,
        1,
        0,
        1,
    ]


def test_grams_are_ordered_by_the_number_of_their_texts(grams):
    assert grams.grams[0] == "not"
    assert sum(count for _, count in grams.frequencies) == len(grams.grams)
    assert [texts for texts, _ in grams.frequencies] == [3, 2, 1]


def test_only_the_grams_of_most_texts_are_kept():
    made = WordGrams(max_grams=2)
    made.adapt(TEXTS)
    assert len(made.grams) == 2 and made.sizes()["num_grams"] == 3


def test_a_text_that_is_cut_keeps_the_grams_of_all_its_words():
    short = WordGrams(2, ["to"], ["be", "or", "to be"], [[1, 3]], 5, room=3)
    long, same = short.decode(tf.constant(["to be or", "to be"]))[0].numpy()
    assert long[:2].tolist() == same[:2].tolist()
    assert (long[2:] > 0).sum() == 3 and (same[2:] > 0).sum() == 2
    assert short.find_cut(["to be or", "to be"]).tolist() == [True, False]


def test_more_grams_than_there_is_room_for_are_left_out():
    short = WordGrams(2, ["to"], ["be", "or", "to be"], [[1, 3]], 5, room=1)
    (codes,) = short.decode(tf.constant(["to be or"]))[0].numpy()
    assert codes.shape == (3,) and codes[2] > 0


@pytest.mark.parametrize("more", ["", " 好"])
def test_punctuation_marks_are_words_of_grams(more):
    made = WordGrams()
    made.adapt([f'wait... "what"?! it\'s (50%) off{more}'])
    marks = {gram for gram in made.grams if not gram[0].isalnum() and " " not in gram}
    assert marks == {".", "?", "!", "(", "%", ")"}
    assert "it's" in made.grams and ". what" in made.grams


def test_unknown_and_empty_texts_have_no_grams(grams):
    codes, _ = grams.decode(tf.constant(["xyz", "", "?%"]))
    assert not codes.numpy()[:, 6:].any()


def test_no_text_at_all_is_decoded(grams):
    codes, valid = grams.decode(tf.constant([], tf.string))
    assert codes.shape == (0, 6 + grams.room) and valid.shape == (0,)


def test_invalid_utf_8_is_corrupt(grams):
    assert_corrupt(grams, b"be \xff", "not valid UTF-8")


def test_scripts_without_spaces_have_pairs_of_characters():
    made = WordGrams()
    made.adapt(["很好吃", "不好吃"])
    assert "好 吃" in made.grams and made.sequence_length == 3


def test_texts_without_a_word_are_an_error():
    with pytest.raises(ValueError, match="no word"):
        WordGrams().adapt(["", "!?"])
