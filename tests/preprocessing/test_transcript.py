"""Transcripts: texts to ids of characters and back."""

import json

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Transcript
from mbm_keras.tasks import Transcription
from mbm_keras.tasks import task_for


@pytest.fixture
def target():
    target = Transcript()
    target.adapt(["ab  a", " cafe\u0301\n", None])
    return target


def test_learns_the_characters_and_the_length(target):
    assert target.alphabet == " abcfé" and target.space == 1
    assert target.sequence_length == 8
    assert task_for("text", target) == Transcription(7, "text", space=1)
    again = Transcript.from_config(json.loads(json.dumps(target.config())))
    assert again.config() == target.config()


def test_one_long_text_does_not_widen_the_batches_beyond_the_sounds():
    target = Transcript(convolutions=((3, 2, 1),), frames=20)
    target.adapt(["ab", "a" * 3_000])  # which would be 6,000 columns of every batch
    assert target.sequence_length == 20  # twice ten steps
    encoded = target.encode(["ab", "a" * 3_000])
    assert target.known(encoded).tolist() == [True, False]
    assert target.explain("a" * 3_000) == "3000 characters, more than 20"


def test_a_text_comes_back_from_the_best_path(target):
    ids = target.encode(["ab a", "bb\tcaf\u00e9"])
    assert ids[0].tolist() == [2, 3, 1, 2, 0, 0, 0, 0]
    steps = np.zeros((2, 20, 7), "float32")
    for row, text in enumerate(ids):
        for i, symbol in enumerate(text[text > 0]):
            steps[row, 2 * i, symbol] = steps[row, 2 * i + 1, 0] = 5
    answers = target.decode(tf.constant(steps), "text")["text"]
    assert target.restore(answers) == ["ab a", "bb café"]


def test_no_step_is_no_text(target):
    answers = target.decode(tf.zeros((2, 0, 7)), "text")["text"]
    assert target.restore(answers) == ["", ""]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("abxé!", "characters that no text of the training split has: '!', 'x'$"),
        ("éABCDEFGHIJKLM", "'J' and 3 more$"),
        (" \n", "a text without a character"),
        ("a" * 9, "9 characters, more than 8"),
    ],
)
def test_says_why_a_text_cannot_be_learned(target, text, reason):
    encoded = target.encode(["a", text])
    assert target.known(encoded).tolist() == [True, False]
    with pytest.raises(ValueError, match=reason):
        raise ValueError(target.explain(text))


def test_no_character_is_an_error():
    with pytest.raises(ValueError, match="with characters in the training split.*2 te"):
        Transcript().adapt(["", "  "])
