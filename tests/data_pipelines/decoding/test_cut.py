"""Values that are longer than their arrays are counted, and no others."""

import numpy as np
import pytest

from data_pipelines import Stream
from data_pipelines import decode
from data_pipelines.decoding.cut import file_inspector
from data_pipelines.decoding.inputs import TableInput
from mbm_keras.preprocessing import Frames
from tests.helpers import clip_bytes
from tests.helpers import flac_bytes
from tests.helpers import wav_bytes
from tests.tables import make_table

WORDS = "one two three four five"  # of which four are kept
ROWS = [
    (WORDS, "", "long.wav", "yes"),
    ("one two three four", "", "good.wav", "no"),
    (WORDS, "", "", "no"),
    ("", "", "long.wav", "yes"),
    ("", "", "bad.wav", "yes"),
    ("two", "", "good.flac", "yes"),
]
FILES = {
    "good.wav": wav_bytes(seconds=0.25),
    "long.wav": wav_bytes(seconds=0.4),
    "bad.wav": wav_bytes(seconds=0.4).replace(b"fmt ", b"fnt "),
    "good.flac": flac_bytes(),
}
CUT = {
    "text": [True, False, True, False, False],
    "photo": [False] * 5,
    "voice": [True, False, False, True, False],
}


@pytest.fixture
def table(tmp_path):
    return make_table(tmp_path, ROWS, FILES)


def as_lists(cut):
    return {key: found.tolist() for key, found in cut.items()}


def test_texts_and_sounds_that_lose_their_end_are_marked(table):
    rows, features, targets = table
    samples, good, _ = decode(rows, features, targets)
    assert as_lists(samples.cut) == CUT and not good[4]
    assert as_lists(samples.take(np.array([0, 3])).cut)["voice"] == [True, True]


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_stream_marks_them_too_and_after_another_start(table, tmp_path, where):
    cache = None if where == "memory" else tmp_path / "cache"
    for _ in range(2):
        stream = Stream(*table, cache=cache).scan()
        assert as_lists(stream.cut) == CUT
        assert stream.status["voice"].tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("seconds, cut", [(0.5, [7]), (1.0, []), (None, [])])
def test_clips_longer_than_their_seconds_are_marked(seconds, cut):
    pytest.importorskip("av")
    found = []
    source = TableInput("clip", ["clip"], Frames(2, 8, seconds), is_file=True)
    inspect = file_inspector(source, found.append)
    if inspect is not None:
        inspect(7, clip_bytes(seconds=1.0))
    assert found == cut


def test_a_file_that_is_no_sound_is_not_marked():
    source = TableInput("clip", ["clip"], Frames(2, 8, 1.0), is_file=True)
    inspect = file_inspector(source, pytest.fail)
    for data in (b"", b"text", b"RIFF0000WAVE", b"fLaC" + bytes(40)):
        inspect(0, data)
