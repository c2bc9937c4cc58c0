"""Another sample rate: tones, aliases, and the edges of a sound."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from mbm_keras.preprocessing.resampling import resample

RATES = [4_000, 8_000, 11_025, 22_050, 44_056, 44_100, 48_000, 192_000]


def by_scipy(wave, rate, new):
    """By a long filter in time, before and after which the sound is silence."""
    common = np.gcd(rate, new)
    up, down = new // common, rate // common
    taps = 2 * 64 * max(up, down) + 1
    kernel = scipy.signal.firwin(taps, 0.95 / max(up, down), window=("kaiser", 8.0))
    return scipy.signal.resample_poly(wave, up, down, window=kernel)


def by_ours(wave, rate, new):
    wave = tf.constant(wave.astype("float32"))
    return resample(wave, tf.constant(rate), new).numpy()


def noise(rate, new, samples):
    """Noise below eight tenths of the lower band."""
    white = np.random.default_rng(0).uniform(-0.5, 0.5, samples)
    kernel = scipy.signal.firwin(401, min(0.999, 0.8 * min(rate, new) / rate))
    return scipy.signal.lfilter(kernel, 1, white)


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


@pytest.mark.parametrize("rate", RATES)
def test_the_end_of_a_sound_is_not_heard_at_its_start(rate):
    wave = np.zeros(rate)  # a whole second: its period is not longer
    end = noise(rate, 16_000, rate // 50)
    wave[-len(end) :] = end
    start = by_ours(wave, rate, 16_000)[:8_000]
    assert np.abs(start).max() < 1e-4


@pytest.mark.parametrize("rate", RATES)
def test_the_edges_are_those_of_a_filter_in_time(rate):
    wave = noise(rate, 16_000, rate)
    ours, right = by_ours(wave, rate, 16_000), by_scipy(wave, rate, 16_000)
    difference = np.abs(ours - right[: len(ours)])
    assert difference[:100].max() < 0.004 and difference[-100:].max() < 0.004
    assert difference[100:-100].max() < 0.002


@pytest.mark.parametrize("samples", [0, 1, 2])
@pytest.mark.parametrize("rate", [4_000, 44_056, 192_000])
def test_very_short_sounds(rate, samples):
    ours = by_ours(np.full(samples, 0.5), rate, 16_000)
    assert len(ours) == -(-samples * 16_000 // rate)
    assert np.isfinite(ours).all() and np.abs(ours).max(initial=0) < 0.7
