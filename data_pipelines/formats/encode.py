"""Arrays to the formats that TensorFlow's graphs decode: WAV and NPY."""

import io
import struct

import numpy as np

_FLOAT = 3  # WAV's number of the format


def wav_bytes(wave: np.ndarray, rate: int) -> bytes:
    """Encodes sound as WAV of 32-bit float; the same sound has the same bytes.

    Args:
        wave: `(samples, channels)` float32.
        rate: Sample rate in hertz.
    """
    data = np.ascontiguousarray(wave, "<f4").tobytes()
    samples, channels = wave.shape
    frame = 4 * channels  # bytes of one sample of all channels
    layout = struct.pack("<HHIIHH", _FLOAT, channels, rate, rate * frame, frame, 32)
    chunks = _chunk(b"fmt ", layout) + _chunk(b"fact", struct.pack("<I", samples))
    return _chunk(b"RIFF", b"WAVE" + chunks + _chunk(b"data", data))


def _chunk(name, content):
    return name + struct.pack("<I", len(content)) + content


def npy_bytes(array: np.ndarray) -> bytes:
    """Encodes an array as NPY, the format of frames for a served model."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
