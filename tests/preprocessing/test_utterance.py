"""Intents and tags: cells to arrays, and outputs to answers with their entities."""

import json

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.protocols import ReadsColumns
from mbm_keras.preprocessing import Target
from mbm_keras.preprocessing import Utterance
from mbm_keras.preprocessing import WordCharacters
from mbm_keras.preprocessing import spaced_words
from mbm_keras.preprocessing import tags
from mbm_keras.sentence_answers import DecodesRows

ROWS = [
    ("go to Oslo", "go", "O O B-city"),
    ("stay in New York", "stay", ["O", "O", "B-city", "I-city"]),
    ("stop", "stay", "O"),
]


def adapted(**columns):
    target = Utterance("text", **({"intent": "do", "tags": "slots"} | columns))
    target.adapt(ROWS)
    return target


def test_fulfills_the_protocols_and_is_built_again_from_its_config():
    target = adapted()
    for protocol in (Target, DecodesRows, ReadsColumns):
        assert isinstance(target, protocol)
    config = json.loads(json.dumps(target.config()))
    assert Utterance.from_config(config).config() == config
    assert target.columns == ("text", "do", "slots")


def test_encodes_an_intent_and_the_tag_of_each_word():
    target = adapted()
    assert target.labels == ("go", "stay")
    assert target.vocabulary == ["O", "B-city", "I-city"]
    right = [[0, 1, 1, 2, 0], [1, 1, 1, 2, 3], [1, 1, 0, 0, 0]]
    assert target.encode(ROWS).tolist() == right
    assert target.known(target.encode(ROWS)).all()


def test_another_number_of_tags_than_words_cannot_be_learned_from():
    target, row = adapted(), ("go to Oslo", "go", "O O")
    assert not target.known(target.encode([row]))[0]
    assert target.explain(row) == "2 tags in 'slots' for 3 words in 'text'"


def test_an_unknown_intent_cannot_be_learned_from_and_an_unknown_tag_is_wrong():
    target = adapted()
    encoded = target.encode([("a", "fly", "O"), ("a b", "go", "O B-day")])
    assert target.known(encoded).tolist() == [False, True]
    assert "'fly' is not an intent" in target.explain(("a", "fly", "O"))
    assert encoded[1].tolist() == [0, 1, 4, 0, 0]  # one more than there are tags


def test_an_inside_without_its_begin_begins_an_entity_and_is_counted():
    target, row = adapted(), ("go to Oslo", "go", "O O I-city")
    assert target.encode([row]).tolist() == [[0, 1, 1, 2, 0]]
    assert target.count_repaired([row, *ROWS]) == 1
    assert tags.repair(["B-a", "I-b", "E-b", "E-b"]) == ["B-a", "B-b", "E-b", "S-b"]


@pytest.mark.parametrize(
    "cell", ["O  B-a\tI-a", ["O", "B-a", "I-a"], '["O","B-a","I-a"]']
)
def test_tags_are_read_from_texts_and_lists(cell):
    assert tags.read(cell) == ["O", "B-a", "I-a"]


def test_one_tag_or_one_intent_is_nothing_to_learn():
    with pytest.raises(ValueError, match="two tags or more in the column 'slots'"):
        Utterance("t", tags="slots").adapt([("a b", "O O"), ("c", "O")])
    with pytest.raises(ValueError, match="two labels or more"):
        Utterance("t", intent="i").adapt([("a", "x"), ("b", "x")])
    with pytest.raises(ValueError, match="a column of intents or of tags"):
        Utterance("t")


def answers_of(target, texts, ids, pairs=None):
    """What a target makes of given tags."""
    layout = target.layout
    outputs = np.zeros((len(ids), layout.size(len(ids[0]))), "float32")
    outputs[:, 0] = 2.0
    layout.margins(outputs)[:] = [-1.0, 0.5, -2.0]
    layout.tags(outputs)[:] = ids
    layout.probabilities(outputs)[:] = 0.5
    layout.pairs(outputs)[:] = 0.4 if pairs is None else pairs
    raw = {"text": tf.constant(texts)}
    found = target.decode_rows(outputs, "do", raw)
    return {name: np.asarray(value) for name, value in found.items()}


def test_entities_have_characters_text_and_probability():
    target = adapted()
    text = "nach  Nürnberg und\tNew York"
    found = answers_of(target, [text, ""], [[1, 2, 1, 2, 3], [0] * 5])
    assert found["slots"].tolist() == [b"O B-city O B-city I-city", b""]
    rows = target.columns_of(found, "do")["slots_entities"]
    assert rows == [
        [
            {"text": "Nürnberg", "label": "city", "from": 6, "to": 14}
            | {"probability": 0.5},
            {"text": "New York", "label": "city", "from": 19, "to": 27}
            | {"probability": 0.4},
        ],
        [],
    ]
    assert all(text[x["from"] : x["to"]] == x["text"] for x in rows[0])


def test_a_scope_decides_whether_there_is_an_intent():
    for scope, right in (("probability", False), ("energy", True)):
        target = adapted(scope=scope)
        found = answers_of(target, ["a"], [[1]])
        assert found["do"].tolist() == [b"go"]
        assert found["do_in_scope"].tolist() == [right]
    with pytest.raises(ValueError, match="scope in .*Received: .*scope='size'"):
        adapted(scope="size")


def test_tags_alone_are_the_answer_in_the_type_of_their_cells():
    target = Utterance("text", tags="slots")
    target.adapt([(text, cell) for text, _, cell in ROWS])
    assert target.encode([("go to Oslo", "O O B-city")]).tolist() == [[0, 1, 1, 2, 0]]
    assert target.restore(np.array([b"O B-city"])) == [["O", "B-city"]]
    assert target.is_list  # one of the cells was a list


def test_every_kind_of_entity_is_found():
    names = ["O", "B-a", "I-a", "E-a", "S-a", "B-b", "NOUN"]
    row = tf.constant([[2, 3, 4, 5, 6, 2, 7, 1, 0]])
    ones = tf.ones(row.shape)
    found = tags.find_entities(row, ones, ones, names)
    parts = [found[name][0].numpy().tolist() for name in ("label", "first", "last")]
    right = [(b"a", 0, 2), (b"a", 3, 3), (b"b", 4, 4), (b"a", 5, 5), (b"NOUN", 6, 6)]
    assert list(zip(*parts, strict=True)) == right


def test_words_are_what_spaces_separate_wherever_they_are():
    text = " a\u00a0bc\n,\u2003d "
    words = spaced_words.split(tf.constant([text]))
    begin, end = spaced_words.find(tf.constant([text]))
    assert [w.decode() for w in words[0].numpy()] == ["a", "bc", ",", "d"]
    spans = zip(begin[0].numpy(), end[0].numpy(), strict=True)
    assert [text[a:b] for a, b in spans] == ["a", "bc", ",", "d"]


def test_words_are_looked_up_without_case_and_digits_and_characters_as_they_are():
    ids = WordCharacters(word_length=3)
    ids.adapt(["Ab 12 ab 34 rare", ""])
    arrays, decoded = ids.decode(tf.constant(["AB 99 x", "", " ", b"\xff"]))
    assert decoded.numpy().tolist() == [True, False, False, False]
    words = dict(zip(["", "?", *ids.vocabulary], range(99), strict=False))
    assert arrays[0, :, 0].numpy().tolist() == [words["ab"], words["00"], 1, 0, 0]
    known = dict(zip(["", "?", *ids.characters], range(99), strict=False))
    assert arrays[0, 0, 1:].numpy().tolist() == [known["A"], 1, 0]
    assert "rare" not in ids.vocabulary  # an unknown word of training
    assert ids.explain(b" ") == "no word" and ids.explain(b"\xff") == "not valid UTF-8"


def test_a_longer_text_is_cut_and_said_to_be():
    ids = WordCharacters(sequence_length=2)
    ids.adapt(["a b c"])
    assert ids.find_cut(["a b", "a b c"]).tolist() == [False, True]
    assert ids.decode(tf.constant(["a b c"]))[0].shape == (1, 2, 17)
    with pytest.raises(ValueError, match="Expected a word"):
        WordCharacters().adapt(["", " "])
