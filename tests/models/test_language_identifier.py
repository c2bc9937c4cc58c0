"""The identifier of languages: what padding does, and what statistics are."""

import keras
import numpy as np

from mbm_keras.inputs import InputSpec
from mbm_keras.models import language_identifier
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import shared_tiny


def test_the_answer_does_not_depend_on_padding_or_on_the_gain():
    model = shared_tiny(language_identifier)
    x = np.random.default_rng(0).normal(size=(2, 30, 8)).astype("float32")
    right = np.asarray(model(x)["label"])
    padded = np.pad(x, [(0, 0), (0, 7), (0, 0)])
    assert_same(model(padded)["label"], right)
    assert_same(model(x + 3.0)["label"], right, atol=1e-4)


def test_mean_and_deviation_over_time_reach_the_dense_layers():
    model = shared_tiny(language_identifier)
    pooled = next(x for x in model.layers if isinstance(x, keras.layers.Concatenate))
    steps = [x for x in model.layers if len(getattr(x.output, "shape", ())) == 3][-1]
    inner = keras.Model(model.inputs, [pooled.output, steps.output])
    x = np.random.default_rng(0).normal(size=(2, 30, 8)).astype("float32")
    found, steps = map(np.asarray, inner(x))
    right = np.concatenate([steps.mean(axis=1), steps.std(axis=1)], axis=1)
    assert steps.shape == (2, 30, 12)
    np.testing.assert_allclose(found, right, atol=1e-3)


def test_a_layer_reads_the_frames_of_the_paper():
    model = language_identifier.build(
        inputs=[InputSpec("voice", "audio", dict(frames=40, num_mel_bins=2))],
        task=Classification(2),
        filters=2,
        pooled_filters=2,
        units=2,
    )
    layers = [x for x in model.layers if "conv" in x.name]
    reach = [(x.kernel_size[0] - 1) // 2 * x.dilation_rate[0] for x in layers]
    assert reach == [2, 2, 3, 0, 0]  # 15 frames in all
