"""Subwords: folders of tokenizer files, whole and wrong."""

import json
import pathlib

import pytest
import tensorflow as tf

from mbm_keras.preprocessing.subwords import Subwords
from mbm_keras.preprocessing.subwords.folder import read_json

DATA = pathlib.Path(__file__).parent / "data"


def load(kind):
    return json.loads((DATA / f"subwords_{kind}.json").read_text())


def write(folder, **files):
    for name, content in files.items():
        name = name.replace("__", ".")
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")


def same_ids(folder, expected):
    words = Subwords.from_folder(folder, 12)
    encoded = words.encode(tf.constant(expected["texts"]))
    rows = zip(encoded["token_ids"].numpy(), encoded["mask"].numpy(), strict=True)
    return [i[m].tolist() for i, m in rows] == expected["cut_to_12"]


@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_tokenizer_json_is_read(tmp_path, kind):
    expected = load(kind)
    write(tmp_path, tokenizer__json=expected["tokenizer"])
    assert same_ids(tmp_path, expected)


@pytest.mark.parametrize("kind, lower", [("bert", True), ("bert_cased", False)])
def test_vocab_txt_is_read(tmp_path, kind, lower):
    expected = load(kind)
    vocabulary = expected["tokenizer"]["model"]["vocab"]
    lines = "\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n"
    settings = {"do_lower_case": lower, "model_max_length": 64}
    write(tmp_path, vocab__txt=lines, tokenizer_config__json=settings)
    assert same_ids(tmp_path, expected)
    assert Subwords.from_folder(tmp_path).longest == 64


@pytest.mark.parametrize("kind", ["gpt2", "roberta", "clip"])
def test_vocab_json_and_merges_are_read(tmp_path, kind):
    expected = load(kind)
    model = expected["tokenizer"]["model"]
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    write(
        tmp_path,
        vocab__json=model["vocab"],
        merges__txt=f"#version: 0.2\n{merges}\n",
        tokenizer_config__json={"add_prefix_space": kind == "roberta"},
    )
    assert same_ids(tmp_path, expected)


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    write(tmp_path, config__json={})
    with pytest.raises(ValueError, match=r"tokenizer.json.*files=\['config.json'\]"):
        Subwords.from_folder(tmp_path)
    with pytest.raises(ValueError, match="files=None"):
        Subwords.from_folder(tmp_path / "missing")


def test_a_damaged_file_is_an_error(tmp_path):
    write(tmp_path, tokenizer__json='{"model":')
    with pytest.raises(ValueError, match="Expected JSON in .*tokenizer.json"):
        Subwords.from_folder(tmp_path)
    write(tmp_path, tokenizer__json="{}")
    with pytest.raises(ValueError, match="without 'model'"):
        Subwords.from_folder(tmp_path)


def test_a_vocab_without_its_special_words_is_an_error(tmp_path):
    write(tmp_path, vocab__txt="a\nb\n")
    with pytest.raises(ValueError, match=r"without \['\[PAD\]'"):
        Subwords.from_folder(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (("model", {"type": "WordLevel", "vocab": {"a": 0}}), "WordLevel"),
        (("normalizer", {"type": "Nmt"}), "a normalizer of"),
        (("pre_tokenizer", {"type": "UnicodeScripts"}), "a pre-tokenizer of"),
        (("post_processor", {"type": "Sentence"}), "a post-processor of"),
    ],
)
def test_a_part_of_another_kind_is_named(change, message):
    content = load("bert")["tokenizer"] | dict([change])
    with pytest.raises(ValueError, match=message):
        Subwords(read_json(content), 12)


def test_bpe_on_characters_is_an_error():
    content = load("gpt2")["tokenizer"] | {"pre_tokenizer": {"type": "Whitespace"}}
    with pytest.raises(ValueError, match="BPE tokenizer on bytes"):
        read_json(content)


def test_a_vocabulary_that_lacks_a_byte_is_an_error():
    content = load("gpt2")["tokenizer"]
    del content["model"]["vocab"]["A"]
    content["model"]["merges"] = []
    with pytest.raises(ValueError, match="without 1 of them, such as 0x41"):
        read_json(content)


def test_bytes_that_unknown_characters_become_have_to_be_there():
    content = load("llama2")["tokenizer"]
    del content["model"]["vocab"]["<0x41>"]
    with pytest.raises(ValueError, match="byte_fallback.*without 1 of them.*<0x41>"):
        read_json(content)


@pytest.mark.parametrize("pattern", [r"\w+(?=a)", r"(?<!a)b", r"\w++", "("])
def test_a_pattern_that_cannot_be_read_is_an_error(pattern):
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    with pytest.raises(ValueError, match="Expected a pattern"):
        Subwords(read_json(load("bert")["tokenizer"] | {"pre_tokenizer": split}), 12)
