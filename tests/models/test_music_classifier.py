"""The classifier of music: what its filters see."""

import keras
import numpy as np

from mbm_keras.inputs import InputSpec
from mbm_keras.models import music_classifier
from mbm_keras.tasks import Classification


def test_tall_filters_see_shares_of_the_bands_and_long_ones_two_seconds():
    model = music_classifier.build(
        inputs=[InputSpec("sound", "audio", dict(frames=150, num_mel_bins=40))],
        task=Classification(2),
        tall_filters=1,
        long_filters=1,
        filters=1,
        units=1,
    )
    shapes = [x.kernel_size for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert shapes == [(7, 16), (7, 28), (128, 1), (64, 1), (32, 1)]


def test_two_of_the_convolutions_over_time_are_residual():
    keras.utils.set_random_seed(0)
    model = music_classifier.build(**music_classifier.PRESETS["tiny"].arguments)
    over_time = [y for y in model.layers if isinstance(y, keras.layers.Conv1D)]
    for layer in over_time[1:]:
        layer.kernel.assign(layer.kernel * 0)
    joined = [y for y in model.layers if isinstance(y, keras.layers.Concatenate)]
    features = keras.Model(model.inputs, joined[1].output)
    x = np.random.default_rng(0).normal(size=(1, 16, 8)).astype("float32")
    first, second, third = np.split(np.asarray(features(x))[..., -12:], 3, axis=2)
    assert first.any()
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(second, third)
