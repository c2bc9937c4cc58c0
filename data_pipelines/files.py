"""What a file is, whether a table may name it, and its bytes."""

import functools
import io
import os
import pathlib

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
AUDIO_SUFFIXES = {".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"}


def kind_of(head):
    """What the first bytes of a file say it is.

    Args:
        head: The first 16 bytes or more.

    Returns:
        `"image"`, `"audio"`, or None if it is neither of the kinds that are read.
    """
    if head[:4] == b"RIFF":
        return {b"WEBP": "image", b"WAVE": "audio"}.get(head[8:12])
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM")):
        return "image"
    # A bare MP3 opens with eleven set bits, of any version and layer.
    is_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    if is_mp3 or head.startswith((b"fLaC", b"OggS", b"ID3")):
        return "audio"
    return None


def look(path):
    """The kind of the file at `path`, None if it is unknown or not there."""
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(16))
    except OSError:
        return None


def resolve(value, root, *, allow_outside=False):
    """The path that a table's cell names, and what is wrong with it.

    Args:
        value: The cell, relative to `root`.
        root: The table's folder.
        allow_outside: True to follow a path that leaves the folder.

    Returns:
        The path as a string, and None or the reason why it is not to be read.
    """
    path = os.path.join(root, value)
    if not allow_outside:
        inside = _real(os.path.abspath(root))  # whatever the working folder was
        if os.path.commonpath([inside, os.path.realpath(path)]) != inside:
            return path, f"the path leaves the table's folder: {value}"
    if not os.path.isfile(path):
        return path, f"there is no such file: {value}"
    if os.path.getsize(path) == 0:
        return path, f"the file is empty: {value}"
    return path, None


@functools.lru_cache(maxsize=8)
def _real(root):
    """A table's own folder, which is asked for once a cell."""
    return os.path.realpath(root)


def read(path):
    """The bytes of a file; compressed sound comes out as WAV.

    FLAC, OGG and MP3 are decoded here by soundfile, so that everything behind the
    source, the served model too, knows one coding of sound. What soundfile cannot
    decode comes out as it is, for the preprocessor to refuse.
    """
    if isinstance(path, bytes):
        path = path.decode()
    data = pathlib.Path(path).read_bytes()
    if kind_of(data) != "audio" or data[:4] == b"RIFF":
        return data
    return wav_of(data)


def needs_python(path):
    """Whether a file's name promises sound that `read` must decode."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix in AUDIO_SUFFIXES and suffix != ".wav"


def wav_of(data):
    """FLAC, OGG or MP3 bytes to WAV bytes of 32-bit float."""
    import soundfile

    try:
        wave, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return data
    wav = io.BytesIO()
    soundfile.write(wav, wave, rate, format="WAV", subtype="FLOAT")
    return wav.getvalue()
