"""What a file is, by its first bytes, and what a graph can decode of it."""

import io

from data_pipelines.formats import pcd
from data_pipelines.formats import video

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
AUDIO_SUFFIXES = {".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
VIDEO_SUFFIXES = {
    ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm",
}  # fmt: skip
POINT_SUFFIXES = {".bin", ".pcd"}
# Of all channels together; half an hour of stereo. A small file can promise more.
MOST_SAMPLES = 200_000_000


def kind_of(head):
    """What the first bytes of a file say it is.

    Args:
        head: The first 189 bytes or more.

    Returns:
        `"image"`, `"audio"`, `"video"`, `"points"`, or None if it is none of the
        kinds that are read. Bare rows of numbers cannot be told by their bytes.
    """
    if head[:4] == b"RIFF":
        kinds = {b"WEBP": "image", b"WAVE": "audio", b"AVI ": "video"}
        return kinds.get(head[8:12])
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM")):
        return "image"
    # A bare MP3 opens with eleven set bits, of any version and layer.
    is_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    if is_mp3 or head.startswith((b"fLaC", b"OggS", b"ID3")):
        return "audio"
    if video.format_of(head) is not None:
        return "audio" if head[8:12] == b"M4A " else "video"
    return "points" if pcd.is_pcd(head) else None


def suffix(data):
    """How the name of a file with these bytes usually ends, without the dot."""
    kinds = {
        b"\xff\xd8": "jpg", b"\x89P": "png", b"GI": "gif", b"BM": "bmp",
        b"fL": "flac", b"Og": "ogg", b"ID": "mp3",
    }  # fmt: skip
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(data[8:12], "avi")
    if kind_of(data) == "points":
        return "pcd"
    if kind_of(data) == "video":
        clip = video.format_of(data)
        return {"mov": "mp4", "matroska": "mkv", "mpegts": "ts"}.get(clip, "mpg")
    if kind_of(data) is None:
        return "bin"
    return kinds.get(data[:2], "mp3")


def look(path):
    """The kind of the file at `path`, None if it is unknown or not there."""
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(256))
    except OSError:
        return None


def transcode(data, preprocessor=None):
    """Bytes that a model's own graph can decode.

    FLAC, OGG, MP3 and the sound of a clip come out as WAV, a clip as NPY bytes of its
    frames, PCD as rows of float32; so everything behind the source, the served model
    too, knows one coding of each. Sound that cannot be decoded comes out as it is, for
    the preprocessor to refuse.

    Args:
        data: The bytes of a file.
        preprocessor: What takes them; None for sound alone.

    Raises:
        ValueError: If they cannot be decoded, or promise more than is allowed.
    """
    if preprocessor is None:
        return _sound(data) if kind_of(data[:256]) == "audio" else data
    if preprocessor.modality == "audio":
        return _sound(data)
    if preprocessor.modality == "video":
        return video.frames(data, preprocessor)
    if preprocessor.modality == "points":
        return pcd.rows(data, preprocessor)
    return data


def _sound(data):
    """WAV bytes of sound or of a clip's; others as they are."""
    head = data[:256]
    kind = kind_of(head)
    if kind not in ("audio", "video") or kind == "audio" and head[:4] == b"RIFF":
        return data
    if video.format_of(head) not in (None, "ogg"):
        return video.sound(data, MOST_SAMPLES)
    return _decompressed(data)


def _decompressed(data):
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
    return video.wav_of(wave, rate)
