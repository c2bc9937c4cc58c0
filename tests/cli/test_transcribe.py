"""`mbm transcribe`: options in, one call, lines or JSON out."""

import json

import pytest
from typer.testing import CliRunner

from mbm_keras import runs
from mbm_keras.cli import app

RESULT = {
    "out": None,
    "text": "one two",
    "words": [{"word": "one"}, {"word": "two"}],
    "sound_seconds": 1.5,
    "warnings": ["The recording is clipped: 3 samples are at full scale."],
}


@pytest.fixture
def calls(monkeypatch):
    """Arguments of `runs.transcribe`, which does nothing."""
    calls = []

    def transcribe(*args, **options):
        calls.append((args, options))
        return {**RESULT, "out": args[2]}

    monkeypatch.setattr(runs, "transcribe", transcribe)
    return calls


def transcribe(*arguments):
    command = ["transcribe", "talk.flac", "--model", "served"]
    return CliRunner().invoke(app, [*command, *arguments])


def test_prints_the_text_and_the_warnings(calls):
    assert transcribe().stdout.splitlines() == ["one two", *RESULT["warnings"]]
    options = {"beams": 16, "language": None}
    assert calls == [(("talk.flac", "served", None), options)]


def test_says_how_many_words_are_in_the_file(calls):
    line = transcribe("--out", "talk.srt", "--beams", "1").stdout.splitlines()[0]
    assert line == "2 words of 1.50 s in talk.srt"
    assert calls[0][1]["beams"] == 1


def test_prints_the_result_as_json(calls):
    assert json.loads(transcribe("--json").stdout) == RESULT
