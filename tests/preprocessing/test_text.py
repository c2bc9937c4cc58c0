"""WordIds, CaptionIds and Caption: lookup, padding, cutting, unknown words."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Caption
from mbm_keras.preprocessing import CaptionIds
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import PromptIds
from mbm_keras.preprocessing import WordIds
from tests.helpers import assert_corrupt


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
    found, decoded = WordIds(3, ["ein", "café"]).decode(tf.constant([text]))
    assert found.numpy().tolist() == [ids] and bool(decoded[0]) == bool(text)


def test_learns_words_by_frequency_and_the_longest_text():
    words = WordIds()
    words.adapt(["b a", "", "a c a!"])
    assert words.vocabulary[0] == "a" and set(words.vocabulary) == {"a", "b", "c"}
    assert words.sequence_length == 3
    assert words.sizes() == {"vocabulary_size": 5}


def test_no_words_is_an_error():
    with pytest.raises(ValueError, match="no word"):
        WordIds().adapt(["", "!?"])


def test_invalid_utf_8_is_corrupt():
    assert_corrupt(WordIds(3, ["a"]), b"a \xff\xfe", "not valid UTF-8")


def test_an_empty_vocabulary_knows_no_word():
    ids, _ = WordIds(2, []).decode(tf.constant(["a b c", ""]))
    assert ids.numpy().tolist() == [[1, 1], [0, 0]]


def test_a_caption_has_an_end_and_comes_back():
    caption = Caption(4, ["ein", "café"])
    ids = caption.encode(["Ein Café, ein", "ein unbekannt", "CAFÉ."])
    assert ids.tolist() == [[3, 4, 3, 2], [3, 1, 2, 0], [4, 2, 0, 0]]
    assert caption.known(ids).all()
    assert caption.ids.sizes() == {"vocabulary_size": 5}
    sentences = caption.decode(ids, "words")["words"].numpy()
    assert [s.decode() for s in sentences] == ["ein café ein", "ein [unknown]", "café"]


def test_captions_are_not_cut():
    caption = CaptionIds(4, ["ein", "café"])
    texts = ["ein ein ein ein", "!?", b"\xff", "ein [end]", "ein ein ein"]
    ids, decoded = caption.decode(tf.constant(texts))
    assert decoded.numpy().tolist() == [False, False, False, True, True]
    assert not ids.numpy()[:3].any()
    assert ids.numpy()[3].tolist() == [3, 1, 2, 0]  # the word, not the end
    assert_corrupt(caption, texts[0].encode(), "1 to 3 words")
    assert_corrupt(caption, b"\xff", "not valid UTF-8")


def test_captions_that_are_cut_or_missing_are_not_known():
    caption = Caption(4, ["ein", "café"])
    encoded = caption.encode(["ein ein ein ein", None, "", "ein"])
    assert caption.known(encoded).tolist() == [False, False, False, True]


def test_captions_learn_a_length_that_holds_the_end():
    caption = Caption()
    caption.adapt(["b a", "", "a c a!"])
    assert caption.ids.sequence_length == 4
    assert caption.encode(["a c a"])[0, -1] == CaptionIds.end
    assert Caption.from_config(caption.config()).config() == caption.config()
    with pytest.raises(ValueError, match="no word"):
        Caption().adapt(["", "!?"])


def test_the_ids_of_a_caption_can_be_an_input():
    features = Features(caption=Caption(4, ["ein", "café", "zwei"]).ids)
    assert features.inputs()[0].sizes["vocabulary_size"] == 6


def test_a_prompt_has_the_ids_of_a_caption_without_its_end():
    texts = tf.constant(["b a", "a b a", "a b a b", "", "!", b"\xff"])
    prompt, caption = PromptIds(4, ["a", "b"]), CaptionIds(4, ["a", "b"])
    ids, decoded = prompt.decode(texts)
    assert ids.shape == (6, 3) == (6, *prompt.array.shape)
    assert decoded.numpy().tolist() == [True, True, False, False, False, False]
    whole = caption.decode(texts)[0].numpy()[:2, :3]
    assert ids.numpy()[:2].tolist() == np.where(whole == 2, 0, whole).tolist()
    assert prompt.explain(b"a b a b") == "4 words, and a prompt has 1 to 3"
    assert not prompt.find_cut(["a b a b"]).any()
