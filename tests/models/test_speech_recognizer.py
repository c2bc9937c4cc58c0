"""The speech recognizer: padding, gain, silence, learning."""

import keras
import numpy as np
import pytest

from mbm_keras.inputs import InputSpec
from mbm_keras.models import speech_recognizer
from mbm_keras.preprocessing import Transcript
from mbm_keras.tasks import Transcription
from mbm_keras.tasks.transcription import best_path
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import on_jax
from tests.helpers import shared_tiny
from tests.helpers import tiny

RNG = np.random.default_rng(0)
SOUND = RNG.normal(-3, 1, (2, 19, 8)).astype("float32")
CEPSTRA = InputSpec("cepstra", "sequence", dict(size=5))


@pytest.mark.parametrize("encoder", speech_recognizer.ENCODERS)
def test_a_recording_is_the_same_alone_and_in_a_batch_of_longer_ones(encoder):
    model = tiny(speech_recognizer, encoder=encoder)
    convolutions = speech_recognizer.CONVOLUTIONS[encoder]
    target = Transcript(convolutions=convolutions)
    all_steps, steps = target.num_steps(np.array([19, 10])).tolist()
    batch = SOUND.copy()
    batch[1, 10:] = 0
    logits = numpy(model({"audio": batch})["text"])
    assert logits.shape == (2, all_steps, 6)
    assert_same(model({"audio": batch[1:, :10]})["text"], logits[1:, :steps], atol=1e-5)
    valid = (logits != 0).any(axis=-1)
    assert valid[1, :steps].all() and not valid[1, steps:].any()


def test_another_gain_and_another_color_of_a_microphone_do_not_count():
    model = shared_tiny(speech_recognizer)
    other = SOUND + RNG.normal(0, 1, 8).astype("float32") + 2.0
    assert_same(model({"audio": SOUND}), model({"audio": other}), atol=1e-3)


@pytest.mark.parametrize("level", [np.log(1e-6), 3.0])
def test_silence_is_heard_as_steps_with_finite_logits(level):
    logits = numpy(
        shared_tiny(speech_recognizer)({"audio": np.full((1, 19, 8), level)})
    )["text"]
    assert np.isfinite(logits).all() and (logits != 0).any(axis=-1).all()


def test_an_empty_recording_has_no_step():
    sound = {"audio": np.zeros((1, 9, 8))}
    assert (numpy(shared_tiny(speech_recognizer)(sound))["text"] == 0).all()


def test_takes_other_vectors_than_spectrograms():
    model = tiny(speech_recognizer, inputs=[CEPSTRA])
    assert numpy(model({"cepstra": SOUND[:, :, :5]})["text"]).shape == (2, 5, 6)


SCRIPT = """
import sys
import keras
import numpy as np
from mbm_keras.models import speech_recognizer
from mbm_keras.tasks import Transcription
from mbm_keras.tasks.transcription import best_path

given = np.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1])
logits = model.predict(given["sound"], verbose=0)["text"]
assert np.abs(logits - given["logits"]).max() < 1e-4
task = Transcription(6, space=1)
model.compile(keras.optimizers.Adam(0.01), {"text": task.loss()},
              metrics={"text": task.metrics()})
losses = model.fit(given["sound"], {"text": given["ids"]}, epochs=30, verbose=0)
assert losses.history["loss"][-1] < 1.0, losses.history["loss"]
assert losses.history["cer"][-1] < 0.2, losses.history["cer"]
"""


def spoken(rows, rng):
    """Symbols as sounds of a band each, for eight frames."""
    sound = np.zeros((rows, 40, 8), "float32")
    ids = np.zeros((rows, 4), "int32")
    for row in range(rows):
        number = rng.integers(1, 5)
        ids[row, :number] = rng.integers(1, 6, number)
        sound[row, : 10 * number] = rng.normal(-8, 0.2, (10 * number, 8))
        for i, symbol in enumerate(ids[row, :number]):
            sound[row, 10 * i : 10 * i + 7, symbol] += 6
    return sound, ids


@pytest.mark.slow
def test_learns_to_write_what_it_hears():
    sound, ids = spoken(16, np.random.default_rng(0))
    task = Transcription(6, space=1)
    model = tiny(speech_recognizer, dropout=0.0, width=16, filters=16)
    model.compile(keras.optimizers.Adam(0.01), {"text": task.loss()}, jit_compile=False)
    model.fit(sound, {"text": ids}, epochs=30, verbose=0, batch_size=16)
    right = [row[row > 0].tolist() for row in ids]
    found = best_path(model.predict(sound, verbose=0)["text"])
    assert sum(a == b for a, b in zip(found, right, strict=True)) >= 12


@pytest.mark.slow
def test_learns_on_jax(tmp_path):
    pytest.importorskip("jax")
    sound, ids = spoken(16, np.random.default_rng(0))
    model = tiny(speech_recognizer, dropout=0.0, width=16, filters=16)
    model.save(tmp_path / "model.keras")
    logits = numpy(model({"audio": sound})["text"])
    np.savez(tmp_path / "given.npz", sound=sound, ids=ids, logits=logits)
    on_jax(SCRIPT, tmp_path / "model.keras", tmp_path / "given.npz")
