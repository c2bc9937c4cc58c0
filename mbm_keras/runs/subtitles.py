"""Words with their times as text, subtitles, or JSON."""

import json
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

_LETTERS, _SECONDS, _PAUSE = 42, 6.0, 1.0  # of a subtitle; a pause begins the next


def to_text(words: Sequence[Mapping[str, Any]]) -> str:
    """One line of text for each stretch of speech between pauses."""
    lines = _group(words, letters=1 << 30, seconds=float("inf"))
    return "".join(f"{_join(line)}\n" for line in lines)


def to_srt(words: Sequence[Mapping[str, Any]]) -> str:
    """SubRip subtitles."""
    parts = [
        f"{number}\n{_clock(cue[0]['start'], ',')} --> {_clock(cue[-1]['end'], ',')}\n"
        f"{_join(cue)}\n\n"
        for number, cue in enumerate(_group(words), 1)
    ]
    return "".join(parts)


def to_vtt(words: Sequence[Mapping[str, Any]]) -> str:
    """WebVTT subtitles.

    Source: W3C, "WebVTT: The Web Video Text Tracks Format",
    https://www.w3.org/TR/webvtt1/, section 4.
    """
    parts = [
        f"{_clock(cue[0]['start'], '.')} --> {_clock(cue[-1]['end'], '.')}\n"
        f"{_escape(_join(cue))}\n\n"
        for cue in _group(words)
    ]
    return "".join(["WEBVTT\n\n", *parts])


def to_json(words: Sequence[Mapping[str, Any]]) -> str:
    """The text, and each word with its start and end in seconds."""
    content = {"text": _join(words), "words": [dict(word) for word in words]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
    "txt": to_text,
    "srt": to_srt,
    "vtt": to_vtt,
    "json": to_json,
}


def _group(words, letters=_LETTERS, seconds=_SECONDS):
    """Words that are shown together."""
    groups: list[list] = []
    for word in words:
        group = groups[-1] if groups else None
        if (
            group is None
            or word["start"] - group[-1]["end"] > _PAUSE
            or word["end"] - group[0]["start"] > seconds
            or len(_join(group)) + 1 + len(word["word"]) > letters
        ):
            groups.append([])
        groups[-1].append(word)
    return groups


def _join(words):
    return " ".join(word["word"] for word in words)


def _escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds, mark):
    """Hours, minutes, seconds, and thousandths after the mark."""
    whole = round(1_000 * seconds)
    hours, whole = divmod(whole, 3_600_000)
    minutes, whole = divmod(whole, 60_000)
    return f"{hours:02}:{minutes:02}:{whole // 1_000:02}{mark}{whole % 1_000:03}"
