"""Arrays to files."""

import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data_pipelines.formats.encode import npy_bytes
from data_pipelines.formats.encode import wav_bytes
from mbm_keras.preprocessing.wav import decode_wav


@pytest.mark.parametrize("channels", [1, 2])
def test_soundfile_reads_the_wav(channels):
    wave = np.random.default_rng(0).normal(0, 2, (100, channels)).astype("float32")
    samples, rate = soundfile.read(io.BytesIO(wav_bytes(wave, 8_000)), always_2d=True)
    np.testing.assert_array_equal(samples, wave)
    assert rate == 8_000


def test_a_graph_reads_the_wav():
    wave = np.random.default_rng(0).uniform(-1, 1, (100, 1)).astype("float32")
    samples, rate = decode_wav(tf.constant(wav_bytes(wave, 16_000)))
    np.testing.assert_allclose(samples, wave[:, 0], atol=1e-6)
    assert rate == 16_000


def test_numpy_reads_the_npy():
    array = np.arange(6, dtype="uint8").reshape(2, 3)
    np.testing.assert_array_equal(np.load(io.BytesIO(npy_bytes(array))), array)
