"""What a file is, by its first bytes, and what a graph can decode of it."""

import io

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
AUDIO_SUFFIXES = {".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
# Of all channels together; half an hour of stereo. A small file can promise more.
MOST_SAMPLES = 200_000_000


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


def suffix(data):
    """How the name of a file with these bytes usually ends, without the dot."""
    kinds = {
        b"\xff\xd8": "jpg", b"\x89P": "png", b"GI": "gif", b"BM": "bmp",
        b"fL": "flac", b"Og": "ogg", b"ID": "mp3",
    }  # fmt: skip
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(data[8:12], "bin")
    if kind_of(data) is None:
        return "bin"
    return kinds.get(data[:2], "mp3")


def look(path):
    """The kind of the file at `path`, None if it is unknown or not there."""
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(16))
    except OSError:
        return None


def plain(data):
    """Bytes that a model's own graph can decode: compressed sound comes out as WAV.

    FLAC, OGG and MP3 are decoded here by soundfile, so that everything behind the
    source, the served model too, knows one coding of sound. What soundfile cannot
    decode comes out as it is, for the preprocessor to refuse.

    Raises:
        ValueError: If its header promises more than `MOST_SAMPLES`.
    """
    if kind_of(data) != "audio" or data[:4] == b"RIFF":
        return data
    return _wav_of(data)


def _wav_of(data):
    """FLAC, OGG or MP3 bytes to WAV bytes of 32-bit float."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            samples, rate = sound.frames * sound.channels, sound.samplerate
            if samples > MOST_SAMPLES:
                raise ValueError(
                    f"more sound than allowed: {samples} samples, not {MOST_SAMPLES}"
                )
            wave = sound.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return data
    wav = io.BytesIO()
    soundfile.write(wav, wave, rate, format="WAV", subtype="FLOAT")
    return wav.getvalue()
