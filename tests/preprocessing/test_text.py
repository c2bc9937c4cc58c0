"""WordIds and Caption: lookup, padding, cutting, unknown words, any letters."""

import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Caption
from mbm_keras.preprocessing import Features
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


def test_a_caption_has_an_end_and_comes_back():
    caption = Caption(4, ["ein", "café"])
    ids = caption(tf.constant("Ein Café, ein"))
    assert ids.numpy().tolist() == [3, 4, 3, 2]
    ids, good = caption.many(tf.constant(["ein unbekannt", "CAFÉ."]))
    assert ids.numpy().tolist() == [[3, 1, 2, 0], [4, 2, 0, 0]]
    assert good.numpy().all() and caption.sizes() == {"vocabulary_size": 5}
    said = caption.decode(ids, "words")["words"].numpy().tolist()
    assert said == [b"ein [unknown]", "café".encode()]


def test_captions_are_not_cut():
    caption = Caption(4, ["ein", "café"])
    texts = ["ein ein ein ein", "!?", b"\xff", "ein [end]", "ein ein ein"]
    ids, good = caption.many(tf.constant(texts))
    assert good.numpy().tolist() == [False, False, False, True, True]
    assert not ids.numpy()[:3].any()
    assert ids.numpy()[3].tolist() == [3, 1, 2, 0]  # the word, not the end
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)1 to.*3.*words"):
        caption(tf.constant(texts[0]))


def test_captions_learn_a_length_that_holds_the_end():
    caption = Caption()
    caption.adapt(["b a", "", "a c a!"])
    assert caption.sequence_length == 4
    assert caption(tf.constant("a c a")).numpy()[-1] == Caption.end
    with pytest.raises(ValueError, match="no word"):
        Caption().adapt(["", "!?"])
    features = Features(caption=caption)
    assert features.inputs()[0].sizes["vocabulary_size"] == 6
