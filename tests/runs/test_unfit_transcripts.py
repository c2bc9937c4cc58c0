"""Recordings that cannot have their texts are left out, each with its reason."""

import dataclasses

import numpy as np

from data_pipelines import Samples
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Transcript
from mbm_keras.runs.transcripts import leave_out_unfit

FEATURES = Features(**{"my sound": LogMel(8_000, 1.0, 8, variable=True)})
TARGET = Transcript("ab", 4)


def make_samples(frames, texts):
    sounds = np.zeros((len(frames), 98, 8), "float32")
    for row, number in enumerate(frames):
        sounds[row, :number] = -3.0
    samples = Samples.from_arrays(
        {"my_sound": sounds},
        {"text": TARGET.encode(texts)},
        ids=range(10, 10 + len(texts)),
    )
    cut = np.zeros(len(texts), bool)
    cut[-1] = True
    return dataclasses.replace(samples, cut={"my_sound": cut})


def test_a_text_needs_a_step_for_each_letter_and_between_two_equal_ones():
    samples = make_samples([8, 9, 8, 9, 98], ["ab", "aa", "aa", "aaa", "ab"])
    good = np.array([True, False, True, True, True, True])
    kept, mask, broken = leave_out_unfit(samples, good, FEATURES, {"text": TARGET})
    assert kept.ids.tolist() == [10, 11]
    assert mask.tolist() == [True, False, True, False, False, False]
    assert [(item.row, item.column) for item in broken] == [
        (12, "my sound"),
        (13, "my sound"),
        (14, "my sound"),
    ]
    assert "8 frames are 2 steps, and the text needs 3" in broken[0].reason
    assert "9 frames are 3 steps, and the text needs 5" in broken[1].reason
    assert broken[2].reason == "longer than 1.0 s, and its text is of all"


def test_other_targets_keep_all_rows():
    samples = make_samples([1, 1], ["ab", "ab"])
    for targets in (None, {"text": Label("ab")}):
        kept, _, broken = leave_out_unfit(samples, [True] * 2, FEATURES, targets)
        assert kept is samples and broken == []
