"""Statistics over the frames in which something is heard."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.baselines.statistics import of_spectrograms
from mbm_keras.layers import SpectrogramStatistics
from mbm_keras.layers import heard_steps
from tests.helpers import numpy

SILENCE = np.log(1e-6).astype("float32")


@pytest.fixture
def sound():
    """Two sounds of 12 and of 7 frames, then digital silence."""
    x = np.random.default_rng(0).normal(-5, 2, (2, 12, 6)).astype("float32")
    x[1, 7:] = SILENCE
    return x


def statistics(sound, heard):
    return numpy(SpectrogramStatistics(num_cepstra=4, lag=1)(sound, heard))


def test_the_silence_after_a_sound_is_not_heard(sound):
    heard = numpy(heard_steps(sound))
    assert heard.sum(axis=1).tolist() == [12, 7]


def test_a_louder_silence_is_not_heard_either(sound):
    np.testing.assert_array_equal(
        numpy(heard_steps(sound + 3)), numpy(heard_steps(sound))
    )


def test_padding_with_zeros_is_not_heard(sound):
    sound[1, 7:] = 0
    mask = np.any(sound != 0, axis=2)
    np.testing.assert_array_equal(numpy(heard_steps(sound, mask)), mask)


def test_mean_and_spread_are_those_of_the_plain_pipeline(sound):
    level = sound[:1].mean()
    plain = of_spectrograms(sound[:1] - level)
    found = statistics(sound[:1], np.ones((1, 12), bool))
    np.testing.assert_allclose(found[:, :12], plain[:, :12], atol=1e-4)
    # Cepstra have another scale, and the plain pipeline has 20 of them or 6.
    scale = 1 / np.sqrt(6)
    np.testing.assert_allclose(found[:, 12:16], scale * plain[:, 12:16], atol=1e-4)
    np.testing.assert_allclose(found[:, 16:20], scale * plain[:, 18:22], atol=1e-4)
    np.testing.assert_allclose(found[:, 24:28], scale * plain[:, 30:34], atol=1e-3)
    np.testing.assert_allclose(found[:, 28:], [[level, np.log(13)]], atol=1e-5)


def test_without_centering_the_level_is_in_the_bands(sound):
    heard = np.ones((1, 12), bool)
    layer = SpectrogramStatistics(num_cepstra=4, center=False)
    found = numpy(layer(sound[:1], heard))
    plain = of_spectrograms(sound[:1])
    np.testing.assert_allclose(found[:, :12], plain[:, :12], atol=1e-4)
    assert found.shape[1] == statistics(sound[:1], heard).shape[1] - 1


def test_what_is_not_heard_has_no_effect(sound):
    heard = numpy(heard_steps(sound))
    short = statistics(sound[1:, :7], heard[1:, :7])
    np.testing.assert_allclose(statistics(sound, heard)[1:], short, atol=1e-5)


def test_a_louder_sound_differs_in_its_level_alone(sound):
    heard = numpy(heard_steps(sound))
    soft, loud = statistics(sound, heard), statistics(sound + 1, heard)
    difference = np.zeros(30)
    difference[28] = 1
    np.testing.assert_allclose(loud - soft, [difference] * 2, atol=1e-5)


def test_a_row_without_sound_gives_finite_values():
    silent = np.full((1, 5, 6), SILENCE)
    found = statistics(silent, numpy(heard_steps(silent)))
    assert np.isfinite(found).all()


def test_is_saved_with_its_arguments():
    layer = SpectrogramStatistics(num_cepstra=4, lag=1, center=False)
    again = SpectrogramStatistics.from_config(layer.get_config())
    assert (again.num_cepstra, again.lag, again.center) == (4, 1, False)
    layer.build((None, 9, 6))
    shape = layer.compute_output_spec(keras.KerasTensor((None, 9, 6)), None).shape
    assert shape == (None, 2 * 6 + 4 * 4 + 1)


def test_takes_sounds_whose_bands_the_graph_does_not_know(sound):
    layer = SpectrogramStatistics(num_cepstra=4)
    layer.build((None, 12, 6), (None, 12))
    heard = numpy(heard_steps(sound))
    unknown = tf.TensorSpec((None, None, None), tf.float32)
    mask = tf.TensorSpec((None, None), tf.bool)
    found = tf.function(layer.__call__, input_signature=[unknown, mask])(sound, heard)
    np.testing.assert_allclose(found, numpy(layer(sound, heard)), atol=1e-5)
