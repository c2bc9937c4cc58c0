"""Sound files and sound tracks of clips to WAV, which TensorFlow's graphs decode."""

import contextlib
import io
import math
from typing import Any

import numpy as np

from data_pipelines.formats import clip as clips
from data_pipelines.formats import kinds
from data_pipelines.formats import sound_kinds
from data_pipelines.formats import wav
from data_pipelines.formats.encode import wav_bytes

# Of all channels together, a quarter of an hour of stereo: 400 MB. A small file can
# hold more.
MAX_SAMPLES = 100_000_000
MAX_RATE = 1_000_000  # hertz, as in the graph
MARGIN = 0.2  # seconds read after those needed: to resample their end, and to see a cut
# A day of stereo at 192 kHz. A header that claims more lies.
_MAX_CLAIMED = 1 << 35
_BLOCK = 1 << 18  # samples decoded at once
# Of libsndfile: it knows neither the format, nor the coding in a known format.
_UNKNOWN_FORMAT, _UNKNOWN_CODING = 1, 4
_NOT_FOUND = 7  # of libsndfile: its MP3 decoder finds no frame


def to_wav(data: bytes, seconds: float | None = None) -> bytes:
    """Decodes a sound file, or the sound track of a clip.

    The kind of a file is known by its bytes, not by its suffix.

    Args:
        data: The bytes of a file.
        seconds: How much of it is needed; None for all. More is not decoded, so that
            memory and time do not depend on what a file claims or unpacks to.

    Returns:
        WAV bytes of 32-bit float, `b""` for a clip without sound. Bytes of a WAV file
        that graphs decode, without an end that is not needed; bytes of another kind
        unchanged: the preprocessor then says what is wrong with them.

    Raises:
        ValueError: If the sound cannot be decoded, has no sample, or is too long.
    """
    head = data[: kinds.HEAD]
    kind = kinds.kind_of(head)
    if kind not in ("audio", "video"):
        return data
    if head[:4] == b"RIFF" and kind == "audio":
        header = wav.read_header(data)
        if header is None:
            return data
        if header.in_graphs:
            needed = None if seconds is None else seconds + MARGIN
            return data if needed is None else wav.shorten(data, header, needed)
    found = sound_kinds.format_of(head)
    if found is not None:
        return _decompress(data, seconds, *found[:2])
    try:
        return soundtrack(data, seconds=seconds)
    except ImportError as error:
        raise ValueError(str(error)) from None


def soundtrack(
    data: bytes,
    max_samples: int = MAX_SAMPLES,
    *,
    seconds: float | None = None,
    container: str | None = None,
) -> bytes:
    """Decodes the sound track of a clip, in step with its frames.

    Args:
        data: The bytes of the clip.
        max_samples: Maximum number of samples, of all channels together.
        seconds: As for `to_wav`.
        container: FFmpeg's name of the container; None to find it from the bytes.

    Returns:
        WAV bytes of 32-bit float that start when the clip starts; `b""` for a clip
        without sound.

    Raises:
        ValueError: If the sound cannot be decoded, or is longer than allowed.
    """
    with clips.open_clip(data, container) as clip:
        if not clip.streams.audio:
            return b""
        track = clips.first_stream(clip.streams.audio)
        if track is None:
            raise ValueError("the sound track has an unknown codec")
        rate = track.rate
        if seconds is None:
            length = clips.seconds_of(data, clip, track) or 0
            _check(length * rate * track.channels, rate, max_samples)
        wanted = _frames(rate, track.channels, seconds, max_samples)
        parts = _decode_track(clip, track, wanted)
    if seconds is None and sum(map(len, parts)) >= wanted:
        _check(max_samples + 1, rate, max_samples)
    if not parts:
        raise ValueError("the sound track is empty")
    return wav_bytes(np.concatenate(parts)[:wanted], rate)


def probe(data: bytes) -> tuple[int, float] | None:
    """Reads the sample rate and the length of a sound, without decoding it.

    Args:
        data: The bytes of a file.

    Returns:
        Hertz, and seconds as the header has them; None without a readable header.
    """
    import soundfile

    header = wav.read_header(data)
    if header is not None and header.in_graphs:
        frame = header.width * header.channels * header.rate
        return (header.rate, header.size / frame) if frame else None
    container = None
    found = sound_kinds.format_of(data[: kinds.HEAD])
    if found is not None:
        with contextlib.suppress(soundfile.LibsndfileError):
            info = soundfile.info(_File(data))
            return info.samplerate, info.frames / info.samplerate
        container = found[1]
        if container is None:
            return None
    try:
        with clips.open_clip(data, container) as clip:
            track = clips.first_stream(clip.streams.audio)
            seconds = track and clips.seconds_of(data, clip, track)
            return (track.rate, seconds) if seconds else None
    except (ValueError, ImportError):
        return None


def _decode_track(clip: Any, track: Any, wanted: int) -> list[np.ndarray]:
    """Arrays `(samples, channels)`; the first is silence until the sound starts."""
    resampler = clips.import_av().AudioResampler("flt", track.layout, track.rate)
    parts: list[np.ndarray] = []
    length, decoded = 0, False
    for frame in clip.decode(track):
        if not parts and frame.time is not None:
            late = max(0, round((frame.time - clips.start_of(clip)) * track.rate))
            parts.append(np.zeros((min(late, wanted), track.channels), "float32"))
            length = len(parts[0])
        for resampled in resampler.resample(frame):
            parts.append(resampled.to_ndarray().reshape(-1, track.channels))
            length += len(parts[-1])
            decoded = decoded or len(parts[-1]) > 0
        if length >= wanted:
            break
    return parts if decoded else []


def _decompress(data, seconds, name, container):
    """WAV bytes of a sound file, decoded by libsndfile, or else by FFmpeg."""
    import soundfile

    if data[:4] == b"fLaC" and not _has_length(data):
        return _by_ffmpeg(data, seconds, name, container, "it says no length")
    try:
        with soundfile.SoundFile(_File(data)) as sound:
            rate, channels = sound.samplerate, sound.channels
            most = MAX_SAMPLES if seconds is None else _MAX_CLAIMED
            _check(sound.frames * channels, rate, most)
            wanted = _frames(rate, channels, seconds, MAX_SAMPLES)
            parts = list(_read(sound, wanted))
    except soundfile.LibsndfileError as error:
        why = error.error_string
        if error.code == _NOT_FOUND:
            why = "no sound is found in it"
        unknown = error.code in (_UNKNOWN_FORMAT, _UNKNOWN_CODING)
        if container is not None and (unknown or name in ("WAV", "OGG")):
            return _by_ffmpeg(data, seconds, name, container, why)
        raise ValueError(f"{name} cannot be decoded: {why}") from None
    if not parts:
        raise ValueError(f"the {name} file has no sample")
    return wav_bytes(np.concatenate(parts), rate)


def _has_length(flac):
    """Whether a FLAC file says how long it is; a stream does not, and libsndfile asks.

    The number of samples has 36 bits.
    """
    return len(flac) < 26 or int.from_bytes(flac[21:26], "big") % 2**36 > 0


def _by_ffmpeg(data, seconds, name, container, why):
    """The same, of a sound that libsndfile does not read."""
    try:
        wave = soundtrack(data, seconds=seconds, container=container)
    except ImportError as error:
        raise ValueError(f"{name} cannot be decoded: {why} {error}") from None
    except ValueError as error:
        error = str(error).removeprefix("cannot be decoded: ")
        raise ValueError(f"{name} cannot be decoded: {error}") from None
    if not wave:
        raise ValueError(f"the {name} file has no sample")
    return wave


class _File(io.BytesIO):
    """Bytes in which libsndfile may seek to where a damaged header points."""

    def seek(self, offset, whence=0):
        start = (0, self.tell(), len(self.getbuffer()))[whence]
        return super().seek(max(0, start + offset))


def _read(sound, wanted):
    """Blocks of samples: what is read counts, and not what the header claims."""
    block = max(1, _BLOCK // sound.channels)
    while wanted > 0:
        part = sound.read(min(block, wanted), dtype="float32", always_2d=True)
        if not len(part):
            return
        wanted -= len(part)
        yield part


def _frames(rate, channels, seconds, max_samples):
    """How many samples of each channel to read."""
    limit = max_samples // max(channels, 1) + 1
    if seconds is None:
        _check(0, rate, max_samples)
        return limit
    wanted = math.ceil((seconds + MARGIN) * rate)
    _check(wanted * channels, rate, max_samples)
    return wanted


def _check(samples, rate, max_samples):
    if rate <= 0:
        raise ValueError("the sound has no sample rate")
    if rate > MAX_RATE:
        raise ValueError(f"more hertz than allowed: {rate}")
    if samples > max_samples:
        raise ValueError(
            f"more sound than allowed: {samples:.0f} samples, not {max_samples}"
        )
