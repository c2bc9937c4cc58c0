"""Clips opened by PyAV: their streams, when they start and how long they are."""

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

from data_pipelines.formats import kinds

_WITHOUT_LENGTH = (
    "aac",
    "amr",
    "mpeg",
    "mpegts",
    "mpegvideo",
)  # containers with no length in them
_NO_PROTOCOL = "none"  # a container may name other files, which FFmpeg would open
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml")
_MICROSECONDS = 1_000_000  # FFmpeg's unit of time for a whole clip


@contextlib.contextmanager
def open_clip(data: bytes, container: str | None = None) -> Iterator[Any]:
    """Opens a clip; FFmpeg's errors become a `ValueError`.

    Args:
        data: The bytes of the clip.
        container: FFmpeg's name of the container; None to find it from the bytes. It
            must not be one that names other files.

    Yields:
        An `av.container.InputContainer`.

    Raises:
        ImportError: If PyAV is not installed.
        ValueError: If the bytes are not a clip, or FFmpeg cannot decode them.
    """
    av = import_av()
    container = container or kinds.container_of(data[: kinds.HEAD])
    if container is None:
        if data.lstrip().startswith(_PLAYLISTS):
            raise ValueError("a playlist, whose files and addresses are not opened")
        raise ValueError("not a clip in a known format")
    try:
        with av.open(
            io.BytesIO(data),
            format=container,
            options={"protocol_whitelist": _NO_PROTOCOL},
            metadata_errors="replace",  # titles may be in any encoding
        ) as clip:
            yield clip
    except av.FFmpegError as error:
        raise ValueError(f"cannot be decoded: {error.strerror}") from None


def import_av() -> Any:
    """Imports PyAV.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import av
        import av.video.reformatter
    except ImportError:
        raise ImportError(
            "Clips, M4A and rare codings of sound are read by PyAV. Install it with "
            "`pip install 'mbm-keras[video]'`."
        ) from None
    return av


def first_stream(streams: Any) -> Any:
    """The first stream in a codec that FFmpeg can decode, or None."""
    return next((s for s in streams if s.codec_context is not None), None)


def start_of(clip: Any) -> float:
    """Time in seconds at which a clip starts, its sound included."""
    return (clip.start_time or 0) / _MICROSECONDS


def seconds_of(data: bytes, clip: Any, stream: Any) -> float | None:
    """Length of a stream in seconds, or None if it is unknown.

    Args:
        data: The bytes of the clip.
        clip: The opened clip.
        stream: One of its streams.
    """
    if clip.format.name in _WITHOUT_LENGTH:
        return _seconds_of_packets(data, stream)
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    tagged = _seconds_of_tag(stream.metadata)
    if tagged is not None:
        return tagged
    return None if clip.duration is None else clip.duration / _MICROSECONDS


def _seconds_of_tag(metadata):
    # Matroska has one length, that of its longest track. FFmpeg and mkvmerge write that
    # of each track into a tag, such as 00:00:01.040000000.
    text = metadata.get("DURATION") or metadata.get("DURATION-eng") or ""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip("\0 "))
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return 3_600 * int(hours) + 60 * int(minutes) + float(seconds)


def _seconds_of_packets(data, stream):
    # FFmpeg only guesses the length of these containers. The times of all packets give
    # it exactly, without decoding.
    with open_clip(data) as clip:
        packets = clip.demux(clip.streams[stream.index])
        times = [
            (p.pts, p.pts + (p.duration or 0)) for p in packets if p.pts is not None
        ]
    if not times:
        return None
    first, last = min(start for start, _ in times), max(end for _, end in times)
    return float((last - first) * stream.time_base)
