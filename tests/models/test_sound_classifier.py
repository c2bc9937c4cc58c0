"""The classifier of sounds: crops, samples in the model, and other towers."""

import keras
import numpy as np
import pytest

from mbm_keras.encoders import ast
from mbm_keras.encoders import yamnet
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import AttentionMean
from mbm_keras.layers import LogMelOfSamples
from mbm_keras.models import sound_classifier
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Waveform
from mbm_keras.tasks import Classification
from mbm_keras.towers import pretrained
from tests.helpers import assert_same
from tests.helpers import decode_one
from tests.helpers import random_inputs
from tests.helpers import wav_bytes

TASK = Classification(3)


def test_the_answer_is_the_mean_of_the_answers_for_the_crops():
    keras.utils.set_random_seed(0)
    model = sound_classifier.build(**sound_classifier.PRESETS["crops"].arguments)
    half = [InputSpec("sound", "audio", dict(frames=32, num_mel_bins=16))]
    alone = sound_classifier.build(inputs=half, task=TASK, width=8)
    alone.set_weights([w for w in model.get_weights() if w.dtype != np.uint32])
    x = np.random.default_rng(0).normal(size=(2, 64, 16)).astype("float32")
    parts = [np.asarray(alone(x[:, i : i + 32])["label"]) for i in (0, 16, 32)]
    assert_same(model(x)["label"], np.mean(parts, axis=0))
    answers = [np.asarray(model(x, training=True)["label"]) for _ in range(2)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-4


def test_samples_become_the_spectrogram_that_the_files_become():
    data = wav_bytes(seconds=0.5, rate=16_000)
    samples = decode_one(Waveform(16_000, 0.5), data)
    right = decode_one(LogMel(16_000, 0.5, 64), data)
    y = np.asarray(LogMelOfSamples(16_000, 64)(samples[None]))[0]
    assert y.shape == right.shape
    # Both are exact to a share of the energy, of which the smallest bands have little.
    np.testing.assert_allclose(np.exp(y), np.exp(right), rtol=2e-3, atol=1e-4)
    assert not np.asarray(LogMelOfSamples()(np.zeros((1, 800), "float32"))).any()


def test_learns_from_samples():
    inputs = [InputSpec("sound", "wave", dict(samples=1_600))]
    keras.utils.set_random_seed(0)
    model = sound_classifier.build(
        inputs=inputs, task=TASK, width=8, num_crops=2, share=0.5, sample_rate=4_000
    )
    time = np.arange(1_600) / 4_000
    y = np.arange(12) % 3
    x = np.sin(2 * np.pi * time * (200 + 400 * y[:, None])).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), TASK.loss(), run_eagerly=True)
    losses = [model.train_on_batch({"sound": x}, {"label": y}) for _ in range(4)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("family", [ast, yamnet])
def test_a_published_encoder_is_its_tower(family):
    arguments = dict(family.PRESETS["tiny"].arguments)
    encoder = family.build(**arguments)
    sizes = dict(frames=arguments.get("frames", 24), num_mel_bins=8)
    model = sound_classifier.build(
        inputs=[InputSpec("sound", "audio", sizes)],
        task=TASK,
        towers={"sound": pretrained.builder(encoder)},
        width=8,
    )
    assert model(random_inputs(model))["label"].shape == (2, 3)


def test_the_weights_of_the_steps_are_learned_and_padding_has_none():
    keras.utils.set_random_seed(0)
    layer = AttentionMean(4)
    x = np.random.default_rng(0).normal(size=(1, 5, 6)).astype("float32")
    mask = keras.ops.convert_to_tensor([[True, True, True, False, False]])
    y = np.asarray(layer(x, mask=mask))
    assert_same(layer(x[:, :3]), y)
    hidden = np.tanh(x[0, :3] @ layer.hidden.kernel.numpy())
    share = np.exp(hidden @ layer.score.kernel.numpy())
    assert_same(y[0], (share / share.sum() * x[0, :3]).sum(axis=0))
