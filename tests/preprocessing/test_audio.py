"""WAV files of every width, resampling, log-mel, and corrupt files."""

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
from mbm_keras.preprocessing.wav import decode_wav
from mbm_keras.preprocessing.wav import decode_wavs
from tests.helpers import assert_corrupt
from tests.helpers import decode_one
from tests.helpers import wav_bytes


def encode(wave, rate=8_000, **kind):
    data = io.BytesIO()
    soundfile.write(data, wave, rate, **{"format": "WAV", **kind})
    return data.getvalue()


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize(
    "width",
    ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_reads_what_soundfile_reads(container, width, channels):
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (100, channels))
    data = encode(wave, 22_050, format=container, subtype=width)
    right, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    seen, rate = decode_wav(tf.constant(data))
    assert rate == 22_050
    np.testing.assert_allclose(seen, right.mean(1), atol=1e-6)


def test_chunks_before_the_sound_are_skipped():
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
        (encode(np.zeros(80), subtype="GSM610"), "coding is not read"),
        (encode(np.full(80, np.nan), subtype="FLOAT"), "not finite"),
    ],
)
def test_an_incomplete_wav_is_an_error(data, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode_wav(tf.constant(data))


def test_log_mel_hears_the_right_band_at_any_rate():
    mel = LogMel(8_000, 0.25, num_mel_bins=40)
    low, high = (decode_one(mel, wav_bytes(hertz=f)) for f in (300, 3_000))
    assert low.shape == (mel.frames, 40)
    assert low.mean(0).argmax() < 12 < 28 < high.mean(0).argmax()
    again = decode_one(mel, wav_bytes(rate=44_100, hertz=300))
    assert again.mean(0).argmax() == low.mean(0).argmax()


def test_shorter_is_padded_with_silence_and_longer_is_cut():
    mel = LogMel(8_000, 0.5, num_mel_bins=8)
    short = decode_one(mel, wav_bytes(seconds=0.25))
    np.testing.assert_allclose(short[-5:], np.log(1e-6), atol=1e-3)
    long = decode_one(mel, wav_bytes(seconds=2.0))
    assert long.shape == short.shape and long[-1].max() > 0


def test_rejects_a_window_shorter_than_a_frame():
    with pytest.raises(ValueError, match="seconds=0.01"):
        LogMel(8_000, 0.01)


def test_the_padding_of_variable_lengths_is_zeros():
    fixed, variable = LogMel(8_000, 0.5, 8), LogMel(8_000, 0.5, 8, variable=True)
    waves = tf.constant([wav_bytes(seconds=s) for s in (0.1, 0.2505, 0.5, 0.8)])
    rows = zip(variable.decode(waves)[0], fixed.decode(waves)[0], strict=True)
    for (x, right), frames in zip(rows, (10, 26, 48, 48), strict=True):
        np.testing.assert_array_equal(x[:frames], right[:frames])
        assert not x[frames:].numpy().any() and x[frames - 1].numpy().any()
    assert variable.sizes()["frames"] is None
    assert LogMel.from_config(variable.config()).variable


def test_many_sounds_are_transformed_as_few_are():
    mel = LogMel(8_000, 0.1, 8)
    waves = tf.constant([wav_bytes(0.1, hertz=200.0 + 20 * i) for i in range(70)])
    many, decoded = mel.decode(waves)
    assert decoded.numpy().all() and many.shape == (70, *mel.array.shape)
    few = np.concatenate([mel.decode(waves[:30])[0], mel.decode(waves[30:60])[0]])
    np.testing.assert_allclose(many[:60], few, atol=1e-5)


def test_plain_files_and_others_are_decoded_in_one_batch():
    stereo = encode(np.full((2_000, 2), 0.25), subtype="PCM_16")
    plain = wav_bytes(0.25)
    files = [plain, stereo, b"", b"no", plain[:-2], wav_bytes(0.5), plain]
    waves, lengths, decoded = decode_wavs(tf.constant(files), 8_000, 0.3)
    assert decoded.numpy().tolist() == [1, 1, 0, 0, 0, 1, 1]
    assert lengths.numpy().tolist() == [2_000, 2_000, 0, 0, 0, 2_400, 2_000]
    np.testing.assert_array_equal(waves[0, :2_000], decode_wav(tf.constant(plain))[0])
    np.testing.assert_allclose(waves[1, :2_000], 0.25)
    assert not waves.numpy()[2:5].any() and not waves.numpy()[:2, 2_000:].any()


@pytest.mark.parametrize("rate", [1_000_001, 2**31 - 1, 2**31 + 5, 2**32 - 1])
@pytest.mark.parametrize("kind", ["plain", "any"])
def test_a_rate_that_would_fill_the_memory_is_refused(rate, kind):
    data = bytearray(
        wav_bytes() if kind == "plain" else encode(np.zeros(99, "f4"), subtype="FLOAT")
    )
    data[24:28] = rate.to_bytes(4, "little")
    assert_corrupt(LogMel(8_000, 0.25, 8), bytes(data), "more hertz than allowed")


def test_a_waveform_is_cut_padded_and_resampled():
    data = wav_bytes(seconds=0.25)
    right, _ = decode_wav(tf.constant(data))
    wave = decode_one(Waveform(8_000, 0.3), data)
    np.testing.assert_array_equal(wave[:2_000], right)
    assert len(wave) == 2_400 and not wave[2_000:].any()
    np.testing.assert_array_equal(decode_one(Waveform(8_000, 0.1), data), right[:800])
    other = decode_one(Waveform(8_000, 0.25), wav_bytes(rate=44_100))
    assert np.abs(other - wave[:2_000])[100:-100].max() < 0.02
    features = Features(mixture=Waveform(8_000, 0.25))
    assert features.inputs() == [InputSpec("mixture", "wave", {"samples": 2_000})]
    arrays, status = features.decode_batch({"mixture": tf.constant([data, b"", b"no"])})
    assert status.numpy().ravel().tolist() == [0, 1, 2]
    np.testing.assert_array_equal(arrays["mixture"][0], right)
    with pytest.raises(ValueError, match="one sample or more"):
        Waveform(8_000, 0.0)
