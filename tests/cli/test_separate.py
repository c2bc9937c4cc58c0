"""`mbm separate`: options in, one call, lines or JSON out."""

import json

import pytest
from typer.testing import CliRunner

from mbm_keras import runs
from mbm_keras.cli import app

RESULT = {
    "out": "out",
    "speakers": ["out/speaker_1.wav", "out/speaker_2.wav"],
    "sound_seconds": 1.5,
    "warnings": ["The clip is clipped: 3 samples are at full scale."],
}
BOXES = ["--box", "0,0,0.5,1", "--box", "0.5,0,1,1"]


@pytest.fixture
def calls(monkeypatch):
    """Arguments of `runs.separate`, which does nothing."""
    calls = []
    monkeypatch.setattr(runs, "separate", lambda *args: calls.append(args) or RESULT)
    return calls


def separate(*arguments):
    command = ["separate", "clip.mp4", "--model", "served", "--out", "out"]
    return CliRunner().invoke(app, [*command, *arguments])


def test_boxes_become_numbers(calls):
    assert separate(*BOXES).exit_code == 0
    boxes = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
    assert calls == [("clip.mp4", "served", "out", boxes)]


def test_prints_where_the_sounds_are_and_the_warnings(calls):
    assert separate().stdout.splitlines() == [
        "2 sounds of 1.50 s in out",
        "The clip is clipped: 3 samples are at full scale.",
    ]


def test_prints_the_result_as_json(calls):
    assert json.loads(separate("--json").stdout) == RESULT


@pytest.mark.parametrize("box", ["0,0,1", "a,b,c,d", "0,0,1,1,1"])
def test_a_box_is_four_numbers(box, calls):
    result = separate("--box", box)
    assert result.exit_code == 2 and calls == []
    assert result.stderr.startswith("mbm: Expected --box TOP,LEFT,BOTTOM,RIGHT")
    assert f"Received: {box!r}" in result.stderr


def test_an_error_is_one_line():
    result = separate()
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "There is no file `clip.mp4`" in result.stderr
