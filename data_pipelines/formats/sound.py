"""Sound files and sound tracks of clips to WAV, which TensorFlow's graphs decode."""

import io

import numpy as np

from data_pipelines.formats import clip as clips
from data_pipelines.formats import kinds
from data_pipelines.formats.encode import wav_bytes

# Of all channels together: half an hour of stereo. A small file can hold more.
MAX_SAMPLES = 200_000_000


def to_wav(data: bytes) -> bytes:
    """Decodes FLAC, OGG, MP3, M4A or the sound track of a clip.

    Args:
        data: The bytes of a file.

    Returns:
        WAV bytes of 32-bit float, `b""` for a clip without sound. Bytes of a WAV file,
        of another kind, and of a sound that cannot be decoded are returned unchanged:
        the preprocessor then says what is wrong with them.

    Raises:
        ValueError: If a clip cannot be decoded, or the sound is too long.
    """
    head = data[: kinds.HEAD]
    kind = kinds.kind_of(head)
    if kind not in ("audio", "video") or (kind == "audio" and head[:4] == b"RIFF"):
        return data
    if kinds.container_of(head) in (None, "ogg"):
        return _decompress(data)
    return soundtrack(data)


def soundtrack(data: bytes, max_samples: int = MAX_SAMPLES) -> bytes:
    """Decodes the sound track of a clip, in step with its frames.

    Args:
        data: The bytes of the clip.
        max_samples: Maximum number of samples, of all channels together.

    Returns:
        WAV bytes of 32-bit float that start when the clip starts; `b""` for a clip
        without sound.

    Raises:
        ValueError: If the sound cannot be decoded, or is longer than allowed.
    """
    with clips.open_clip(data) as clip:
        if not clip.streams.audio:
            return b""
        track = clips.first_stream(clip.streams.audio)
        if track is None:
            raise ValueError("the sound track has an unknown codec")
        seconds = clips.seconds_of(data, clip, track) or 0
        if seconds * track.rate * track.channels > max_samples:
            raise ValueError(
                f"more sound than allowed: {seconds:.0f} seconds at {track.rate} hertz"
            )
        parts = _decode_track(clip, track, max_samples)
    if not parts:
        raise ValueError("the sound track is empty")
    return wav_bytes(np.concatenate(parts), track.rate)


def _decode_track(clip, track, max_samples):
    """Arrays `(samples, channels)`; the first is silence until the sound starts."""
    resampler = clips.import_av().AudioResampler("flt", track.layout, track.rate)
    parts, size = [], 0
    for frame in clip.decode(track):
        if not parts and frame.time is not None:
            late = max(0, round((frame.time - clips.start_of(clip)) * track.rate))
            if late * track.channels > max_samples:
                raise ValueError(f"the sound starts after {frame.time:.0f} seconds")
            parts.append(np.zeros((late, track.channels), "float32"))
        for resampled in resampler.resample(frame):
            parts.append(resampled.to_ndarray().reshape(-1, track.channels))
            size += parts[-1].size
        if size > max_samples:
            raise ValueError(f"more sound than allowed: over {max_samples} samples")
    return parts if size else []


def _decompress(data):
    """WAV bytes of FLAC, OGG or MP3; damaged bytes unchanged."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            samples, rate = sound.frames * sound.channels, sound.samplerate
            if samples > MAX_SAMPLES:
                raise ValueError(
                    f"more sound than allowed: {samples} samples, not {MAX_SAMPLES}"
                )
            wave = sound.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return data
    return wav_bytes(wave, rate)
