"""WAV of every width, resampling, log-mel, and what is no WAV."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from mbm_keras.inputs import InputSpec
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Waveform
from mbm_keras.preprocessing.audio import resample
from mbm_keras.preprocessing.wav import decode_wav
from tests.helpers import wav_bytes


def encode(wave, rate=8_000, **kind):
    data = io.BytesIO()
    soundfile.write(data, wave, rate, **{"format": "WAV", **kind})
    return data.getvalue()


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize(
    "width", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_reads_what_soundfile_reads(container, width, channels):
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (100, channels))
    data = encode(wave, 22_050, format=container, subtype=width)
    right, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    seen, rate = decode_wav(tf.constant(data))
    assert rate == 22_050
    np.testing.assert_allclose(seen, right.mean(1), atol=1e-6)


def test_chunks_before_the_sound_are_stepped_over():
    data = wav_bytes()
    odd = data[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + data[12:]
    np.testing.assert_array_equal(
        decode_wav(tf.constant(odd))[0], decode_wav(tf.constant(data))[0]
    )


def test_a_streamed_file_ends_where_it_ends():
    data = bytearray(wav_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    assert len(decode_wav(tf.constant(bytes(data)))[0]) == 2_000


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not a WAV"),
        (b"\x89PNG", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "not in the WAV file"),
        (wav_bytes()[:500], "ends early"),
        (wav_bytes().replace(b"fmt ", b"fnt "), "not in the WAV file"),
        (encode(np.zeros(80), subtype="ULAW"), "coding is not read"),
        (encode(np.full(80, np.nan), subtype="FLOAT"), "no numbers"),
    ],
)
def test_what_is_no_whole_wav_is_refused(data, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode_wav(tf.constant(data))


@pytest.mark.parametrize(
    "rate, new", [(44_100, 8_000), (8_000, 16_000), (11_025, 8_000)]
)
def test_resampling_keeps_a_tone(rate, new):
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 440 * time).astype("float32")
    out = resample(tf.constant(tone), tf.constant(rate), new).numpy()
    right = np.sin(2 * np.pi * 440 * np.arange(new) / new)
    assert len(out) == new
    np.testing.assert_allclose(out[50:-50], right[50:-50], atol=1e-3)


def test_resampling_lets_no_alias_through():
    time = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 6_000 * time).astype("float32")
    out = resample(tf.constant(tone), tf.constant(44_100), 8_000).numpy()
    assert np.abs(out[100:-100]).max() < 1e-3


def test_log_mel_hears_the_right_band_at_any_rate():
    mel = LogMel(8_000, 0.25, num_mel_bins=40)
    low, high = (mel(tf.constant(wav_bytes(hertz=f))).numpy() for f in (300, 3_000))
    assert low.shape == (mel.frames, 40)
    assert low.mean(0).argmax() < 12 < 28 < high.mean(0).argmax()
    again = mel(tf.constant(wav_bytes(rate=44_100, hertz=300))).numpy()
    assert again.mean(0).argmax() == low.mean(0).argmax()


def test_shorter_is_padded_with_silence_and_longer_is_cut():
    mel = LogMel(8_000, 0.5, num_mel_bins=8)
    short = mel(tf.constant(wav_bytes(seconds=0.25))).numpy()
    np.testing.assert_allclose(short[-5:], np.log(1e-6), atol=1e-3)
    long = mel(tf.constant(wav_bytes(seconds=2.0))).numpy()
    assert long.shape == short.shape and long[-1].max() > 0


def test_rejects_a_window_shorter_than_a_frame():
    with pytest.raises(ValueError, match="seconds=0.01"):
        LogMel(8_000, 0.01)


def test_of_variable_length_the_padding_is_zeros():
    fixed, variable = LogMel(8_000, 0.5, 8), LogMel(8_000, 0.5, 8, variable=True)
    waves = [wav_bytes(seconds=s) for s in (0.1, 0.2505, 0.5, 0.8)]
    for data, frames in zip(waves, (10, 26, 48, 48), strict=True):
        x = variable(tf.constant(data)).numpy()
        np.testing.assert_array_equal(x[:frames], fixed(tf.constant(data))[:frames])
        assert not x[frames:].any() and x[frames - 1].any()
    assert variable.sizes()["frames"] is None
    assert LogMel(**variable.config()).variable


@pytest.mark.parametrize("rate", [1_000_001, 2**31 - 1, 2**31 + 5, 2**32 - 1])
@pytest.mark.parametrize("kind", ["plain", "any"])
def test_a_rate_that_would_fill_the_memory_is_refused(rate, kind):
    data = bytearray(
        wav_bytes() if kind == "plain" else encode(np.zeros(99, "f4"), subtype="FLOAT")
    )
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(tf.errors.InvalidArgumentError, match="more hertz than allowed"):
        LogMel(8_000, 0.25, 8)(tf.constant(bytes(data)))


def test_a_waveform_is_cut_padded_and_resampled():
    data = wav_bytes(seconds=0.25)
    right, _ = decode_wav(tf.constant(data))
    wave = Waveform(8_000, 0.3)(tf.constant(data)).numpy()
    np.testing.assert_array_equal(wave[:2_000], right)
    assert len(wave) == 2_400 and not wave[2_000:].any()
    np.testing.assert_array_equal(Waveform(8_000, 0.1)(tf.constant(data)), right[:800])
    other = Waveform(8_000, 0.25)(tf.constant(wav_bytes(rate=44_100))).numpy()
    assert np.abs(other - wave[:2_000])[100:-100].max() < 0.02
    features = Features(mixture=Waveform(8_000, 0.25))
    assert features.inputs() == [InputSpec("mixture", "wave", {"samples": 2_000})]
    arrays, status = features.decode_batch({"mixture": tf.constant([data, b"", b"no"])})
    assert status.numpy().ravel().tolist() == [0, 1, 2]
    np.testing.assert_array_equal(arrays["mixture"][0], right)
    with pytest.raises(ValueError, match="one sample at least"):
        Waveform(8_000, 0.0)
