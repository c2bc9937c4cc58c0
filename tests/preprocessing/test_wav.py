"""WAV files whose header is odd, old or a lie."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Waveform
from mbm_keras.preprocessing.wav import decode_wav
from tests.helpers import assert_corrupt
from tests.helpers import decode_one

SAMPLES = np.arange(-100, 100, dtype="<i2") * 50


@pytest.fixture(scope="module")
def waveform():
    return Waveform(8_000, 0.05)


def chunk(name, content, size=None):
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + b"\0" * (len(content) % 2)


def layout(tag=1, channels=1, rate=8_000, bits=16, more=b""):
    frame = channels * bits // 8 % 65_536
    numbers = (tag, channels, rate, rate * frame % 2**32, frame, bits)
    return struct.pack("<HHIIHH", *numbers) + more


def wav(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


FMT, DATA = chunk(b"fmt ", layout()), chunk(b"data", SAMPLES.tobytes())
OTHER = chunk(b"data", SAMPLES[::-1].tobytes())


@pytest.mark.parametrize(
    "file",
    [
        wav(DATA, FMT),
        wav(FMT, DATA, OTHER),
        wav(chunk(b"bext", b"abc"), FMT, chunk(b"LIST", b"INFO"), DATA),
        wav(*[chunk(b"junk", b"")] * 120, FMT, DATA),
        wav(FMT, chunk(b"data", SAMPLES.tobytes(), 0xFFFFFFFF)),
        wav(FMT, chunk(b"data", SAMPLES.tobytes(), 0x7FFFF000)),
        wav(FMT, chunk(b"data", SAMPLES.tobytes(), 0)),
        wav(chunk(b"fmt ", layout(bits=12)), DATA),
        wav(FMT, DATA)[:4] + b"\xff" * 4 + wav(FMT, DATA)[8:],
        wav(FMT, DATA) + b"ID3 and more",
    ],
    ids=(
        "data first", "two sounds", "odd chunk", "many chunks", "streamed",
        "streamed by SoX", "not closed", "12 bits", "size of the file", "more after it",
    ),
)  # fmt: skip
def test_the_sound_is_found(file, waveform):
    np.testing.assert_array_equal(decode_one(waveform, file)[:200], SAMPLES / 2**15)


@pytest.mark.parametrize(
    "file, message",
    [
        (wav(*[chunk(b"junk", b"")] * 200_000, FMT, DATA), "not in the WAV file"),
        (wav(FMT, chunk(b"data", b"")), "without a sample"),
        (wav(chunk(b"fmt ", layout(channels=65_535)), DATA), "without a sample"),
        (wav(chunk(b"fmt ", layout(channels=0)), DATA), "no channel"),
        (wav(chunk(b"fmt ", layout(rate=0)), DATA), "no rate"),
        (wav(chunk(b"fmt ", layout(rate=4_000_000_000)), DATA), "more hertz"),
        (wav(chunk(b"fmt ", layout(bits=0)), DATA), "coding is not read"),
        (wav(chunk(b"fmt ", layout(bits=65_535)), DATA), "coding is not read"),
        (wav(chunk(b"fmt ", layout()[:8]), DATA), "whole `fmt ` chunk"),
        (wav(FMT, chunk(b"data", SAMPLES.tobytes(), 10_000)), "ends early"),
        (wav(chunk(b"fmt ", layout(), 0xFFFFFFFF), DATA), "data chunk"),
        (b"RIFX" + wav(FMT, DATA)[4:], "not a WAV file"),
    ],
    ids=(
        "chunks", "empty", "channels", "no channel", "no rate", "rate", "no bits",
        "bits", "short header", "ends early", "size of the header", "big-endian",
    ),
)  # fmt: skip
def test_a_file_that_lies_is_refused(file, message, waveform):
    assert_corrupt(waveform, file, message)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e20])
def test_samples_that_no_spectrum_can_hold_are_refused(value):
    sound = np.zeros(2_000)
    sound[7] = value
    file = wav(chunk(b"fmt ", layout(3, bits=64)), chunk(b"data", sound.tobytes()))
    assert_corrupt(LogMel(8_000, 0.2, 8), file, "not finite")


def test_channels_are_mixed_to_their_mean(waveform):
    silent = np.stack([SAMPLES, 0 * SAMPLES, 0 * SAMPLES, 0 * SAMPLES], 1)
    file = wav(chunk(b"fmt ", layout(channels=4)), chunk(b"data", silent.tobytes()))
    expected = SAMPLES / 2**15 / 4
    np.testing.assert_allclose(decode_one(waveform, file)[:200], expected, atol=1e-7)


def test_only_the_window_is_decoded():
    sound = np.zeros(80_000)
    sound[70_000] = np.nan  # after the window
    file = wav(chunk(b"fmt ", layout(3, bits=64)), chunk(b"data", sound.tobytes()))
    assert not decode_one(Waveform(8_000, 1.0), file).any()
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        decode_wav(tf.constant(file))


def test_the_end_of_the_window_is_that_of_the_whole_sound():
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 44_100)
    data = io.BytesIO()
    soundfile.write(data, sound, 44_100, format="WAV", subtype="FLOAT")
    whole = decode_one(Waveform(16_000, 1.0), data.getvalue())
    part = decode_one(Waveform(16_000, 0.5), data.getvalue())
    np.testing.assert_allclose(part, whole[:8_000], atol=1e-4)
