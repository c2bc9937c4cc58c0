"""Arrays to the formats that TensorFlow's graphs decode: WAV and NPY."""

import io

import numpy as np


def wav_bytes(wave: np.ndarray, rate: int) -> bytes:
    """Encodes sound as WAV of 32-bit float.

    Args:
        wave: `(samples, channels)` float32.
        rate: Sample rate in hertz.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    """Encodes an array as NPY, the format of frames for a served model."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
