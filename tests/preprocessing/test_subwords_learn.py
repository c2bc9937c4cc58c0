"""Vocabularies of subwords that are learned, and what is done where they cannot be."""

import json
import sys

import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Subwords
from mbm_keras.preprocessing.subwords.folder import read_json
from mbm_keras.preprocessing.subwords.learn import train

TEXTS = [
    "the words of a text, and the words of another text",
    "a text of few words: naïve café",
    "words without a text",
] * 5
NEW = ["the words", "wordless text; another   naïve one 😀", "zzz"]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_a_learned_vocabulary_gives_the_ids_of_the_library(kind):
    tokenizers = pytest.importorskip("tokenizers")
    content = train(TEXTS, kind, 300)
    library = tokenizers.Tokenizer.from_str(json.dumps(content))
    words = Subwords(read_json(content), 32)
    encoded = words.encode(tf.constant(NEW))
    rows = zip(encoded["token_ids"].numpy(), encoded["mask"].numpy(), strict=True)
    found = [ids[mask].tolist() for ids, mask in rows]
    assert found == [e.ids for e in library.encode_batch(NEW)]


def test_learned_words_need_fewer_ids_than_letters():
    pytest.importorskip("tokenizers")
    words = Subwords.learn(TEXTS, kind="bpe", size=300)
    assert words.count(["the words of a text"])[0] == 5


@pytest.mark.parametrize(
    "texts, kind, message",
    [
        (TEXTS, "char", "kind='char'"),
        (["", " "], "bpe", "2 texts, no word"),
        ([], "unigram", "0 texts, no word"),
    ],
)
def test_what_cannot_be_learned_is_an_error(texts, kind, message):
    with pytest.raises(ValueError, match=message):
        Subwords.learn(texts, kind=kind)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'mbm-keras\[subwords\]'"):
        Subwords.learn(TEXTS)
