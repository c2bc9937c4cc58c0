"""Subwords: the ids of Hugging Face's `tokenizers`, which wrote the files in `data`.

A file holds a tiny tokenizer of our own, texts, their ids, and their ids with those of
the template, cut to 12.
"""

import functools
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing.subwords import Subwords
from mbm_keras.preprocessing.subwords.folder import read_json
from tests.helpers import assert_corrupt

DATA = pathlib.Path(__file__).parent / "data"
KINDS = sorted(path.stem.removeprefix("subwords_") for path in DATA.glob("subwords_*"))


def load(kind):
    return json.loads((DATA / f"subwords_{kind}.json").read_text())


@functools.cache
def make(kind, length=12):
    return Subwords(read_json(load(kind)["tokenizer"]), length)


def ids_of(words, texts):
    values, splits, _ = words(tf.constant(texts))
    return tf.RaggedTensor.from_row_splits(values, splits).to_list()


@pytest.fixture(scope="module")
def bert():
    return make("bert")


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_hugging_face(kind):
    expected = load(kind)
    words = make(kind)
    found = ids_of(words, expected["texts"])
    for text, ours, theirs in zip(
        expected["texts"], found, expected["ids"], strict=True
    ):
        assert ours == theirs, repr(text)
    # A text alone is read by another way where it is of ASCII.
    for text, theirs in zip(expected["texts"][:12], expected["ids"], strict=False):
        assert ids_of(words, [text]) == [theirs], repr(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_and_the_cut_are_those_of_hugging_face(kind):
    expected = load(kind)
    words = make(kind)
    encoded = words.encode(tf.constant(expected["texts"]))
    rows = zip(encoded["token_ids"].numpy(), encoded["mask"].numpy(), strict=True)
    found = [ids[mask].tolist() for ids, mask in rows]
    assert found == expected["cut_to_12"]


def test_arrays_are_ids_and_one_and_zeros_after_them(bert):
    texts = tf.constant(["a text", "", b"a \xff"])
    arrays, ok = bert.decode(texts)
    ids = bert.encode(texts[:1])
    assert ok.numpy().tolist() == [True, False, False]
    assert not arrays.numpy()[1:].any()
    expected = np.where(ids["mask"], ids["token_ids"] + 1, 0)
    np.testing.assert_array_equal(arrays[:1], expected)


def test_padding_is_that_of_the_tokenizer():
    content = load("roberta")["tokenizer"]
    words = Subwords(read_json(content, {"pad_token": "<pad>"}), 12)
    encoded = words.encode(tf.constant(["a"]))
    assert (encoded["token_ids"].numpy()[~encoded["mask"].numpy()] == 1).all()


def test_special_pieces_in_a_text_stay_text(bert):
    special = bert.spec.special
    (found,) = ids_of(bert, ["[CLS] [SEP]"])
    assert not set(found) & (set(special) - {bert.spec.unknown})
    llama = make("llama3")
    assert 0 not in ids_of(llama, ["<|begin_of_text|>"])[0]
    assert 2 not in ids_of(make("xlmr"), ["</s> a</s>"])[0]


def test_texts_that_are_cut_are_counted(bert):
    assert bert.find_cut(["a", "a " * 10, "a " * 11, ""]).tolist() == [0, 0, 1, 0]


def test_it_learns_the_length_of_the_longest_text():
    words = Subwords(make("roberta").spec)
    assert words.array is None
    words.adapt(["a a a", "", "a"])
    assert words.sequence_length == 5 and words.array.shape == (5,)
    short = Subwords(words.spec, longest=4)
    short.adapt(["a a a"])
    assert short.sequence_length == 4


def test_texts_without_a_piece_are_an_error():
    with pytest.raises(ValueError, match="2 texts, no word"):
        make("bert", None).adapt(["", " \u200b"])


def test_a_text_without_a_piece_has_the_template_alone(bert):
    arrays, ok = bert.decode(tf.constant([" "]))
    cls, sep = bert.spec.before[0] + 1, bert.spec.after[0] + 1
    assert ok[0] and arrays.numpy()[0].tolist() == [cls, sep] + [0] * 10


def test_no_text_at_all_is_decoded(bert):
    arrays, ok = bert.decode(tf.constant([], tf.string))
    assert arrays.shape == (0, 12) and ok.shape == (0,)


def test_invalid_utf_8_is_corrupt(bert):
    assert_corrupt(bert, b"a \xff", "not valid UTF-8")


@pytest.mark.parametrize("kind", ["bert", "gpt2", "xlmr"])
def test_a_long_word_among_short_ones_is_split(kind):
    words = make(kind)
    long = "http://" + "Abc/def?" * 50
    assert ids_of(words, ["a b", long, "a"])[1] == ids_of(words, [long])[0]


def test_words_that_were_split_before_have_the_same_ids():
    words = make("xlmr")
    texts = ["unheard-of words", "x" * 300, "unheard-of"]
    first = ids_of(words, texts)
    assert ids_of(words, texts) == first
    assert ids_of(words, texts[::-1]) == first[::-1]


def test_two_tokenizers_do_not_share_the_words_they_keep():
    text = ["unheard-of"]
    assert ids_of(make("gpt2"), text) != ids_of(make("qwen2"), text)
    for kind in ("gpt2", "qwen2"):
        assert ids_of(make(kind), text) == ids_of(Subwords(make(kind).spec), text)


def test_features_save_and_load_it(tmp_path, bert):
    features = Features(caption=bert)
    features.save(tmp_path / "features.json")
    again = Features.load(tmp_path / "features.json")
    raw = {"caption": tf.constant(["a text of words", "naïve café"])}
    np.testing.assert_array_equal(
        again.decode_batch(raw)[0]["caption"], features.decode_batch(raw)[0]["caption"]
    )


def test_an_embedding_needs_a_row_for_each_piece(bert):
    bert.check_fit(400)
    with pytest.raises(ValueError, match="vocabulary_size=399, pieces=400"):
        bert.check_fit(399)


def test_without_a_length_texts_are_padded_to_the_longest():
    words = make("bert", None)
    encoded = words.encode(tf.constant(["a a a", "", "a"]))
    assert encoded["mask"].numpy().sum(axis=1).tolist() == [5, 2, 3]
    assert encoded["token_ids"].shape == (3, 5)


def test_there_is_room_for_a_piece():
    with pytest.raises(ValueError, match="sequence_length above 2"):
        make("bert", 2)
