"""From WAV and NPY bytes to one WAV per speaker, where Keras is not installed."""

import io
import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from mbm_keras.export import alone
from mbm_keras.export import compare
from mbm_keras.export import save
from mbm_keras.models import looking_to_listen
from mbm_keras.preprocessing import Faces
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Sounds
from mbm_keras.preprocessing import Waveform
from tests.helpers import decode_one
from tests.helpers import npy_bytes

RATE, RNG = 4_000, np.random.default_rng(0)


def wav_bytes(wave, rate=RATE, subtype="FLOAT"):
    data = io.BytesIO()
    soundfile.write(data, wave, rate, format="WAV", subtype=subtype)
    return data.getvalue()


def tiny_separator(features):
    tiny = looking_to_listen.PRESETS["tiny"].arguments
    model = looking_to_listen.build(**{**tiny, "inputs": features.inputs()})
    return looking_to_listen.separator(model, tiny["task"])


@pytest.mark.slow
def test_a_mixture_becomes_a_sound_per_speaker(tmp_path):
    features = Features(mixture=Waveform(RATE, 0.16), faces=Faces(2, 5, 12))
    separator = tiny_separator(features)
    path = tmp_path / "served"
    save(separator, features, path, targets={"speakers": Sounds(RATE)})
    again = Features.load(path / "assets.extra" / "features.json")
    assert again.by_name["faces"].config() == features.by_name["faces"].config()

    frames = RNG.integers(0, 256, (10, 12, 12, 3)).astype("uint8")
    waves = RNG.uniform(-1, 1, (3, 640)).astype("float32")
    raw = {
        "mixture": [wav_bytes(wave) for wave in waves],
        "faces": [npy_bytes(frames), npy_bytes(frames[::-1]), b""],
    }
    arrays = {
        "mixture": waves,
        "faces": np.stack([frames, frames[::-1], 0 * frames]).reshape(
            3, 2, 5, 12, 12, 3
        ),
    }
    expected = separator.predict(arrays, verbose=0)
    served = tf.saved_model.load(str(path))
    answers = served.serve({name: tf.constant(x) for name, x in raw.items()})
    waves = answers["speakers_waves"].numpy()
    np.testing.assert_allclose(waves, expected["speakers"], atol=1e-5)
    assert answers["status_faces"].numpy().tolist() == [b"ok", b"ok", b"absent"]
    files = answers["speakers"].numpy()
    assert files.shape == (3, 2)
    for data, wave in zip(files.ravel(), waves.reshape(6, -1), strict=True):
        read, rate = soundfile.read(io.BytesIO(data), dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(read, np.clip(wave, -1, 1), atol=1e-4)
    with alone() as process:
        assert compare(path, raw, expected, process) < 1e-4


@pytest.mark.parametrize(
    "subtype, channels", [("PCM_U8", 1), ("PCM_24", 2), ("FLOAT", 6), ("DOUBLE", 1)]
)
def test_any_wav_becomes_its_mean_channel(subtype, channels):
    wave = RNG.uniform(-0.9, 0.9, (640, channels))
    mixed = decode_one(Waveform(RATE, 0.16), wav_bytes(wave, subtype=subtype))
    np.testing.assert_allclose(mixed, wave.mean(axis=1), atol=0.01)


def test_the_preprocessors_are_with_the_model(tmp_path):
    features = Features(mixture=Waveform(RATE, 0.16))
    separator = tiny_separator(features)
    save(separator, features, tmp_path)
    saved = json.loads((tmp_path / "assets.extra" / "features.json").read_text())
    config = {"preprocessor": "Waveform", "sample_rate": RATE, "seconds": 0.16}
    assert saved == {"inputs": {"mixture": config}, "keys": {"mixture": "mixture"}}


def test_sounds_are_encoded_and_decoded():
    waves = RNG.uniform(-1, 1, (3, 2, 640)).astype("float32")
    values = [[wav_bytes(wave) for wave in pair] for pair in waves]
    values[1][0] = b"no sound"
    sounds = Sounds(RATE)
    sounds.adapt([values[0]])
    assert (sounds.seconds, sounds.num_sounds) == (0.16, 2)
    encoded = sounds.encode(values)
    assert sounds.known(encoded).tolist() == [True, False, True]
    np.testing.assert_allclose(encoded[[0, 2]], waves[[0, 2]], atol=1e-6)
    files = sounds.decode(tf.constant(encoded[:1]), "speakers")["speakers"].numpy()
    again, rate = soundfile.read(io.BytesIO(files[0, 1]), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(again, waves[0, 1], atol=1e-4)


def test_sounds_of_no_length_are_not_encoded():
    with pytest.raises(ValueError, match="Expected seconds"):
        Sounds(RATE).encode([b""])
    with pytest.raises(ValueError, match="sounds=.2."):
        Sounds(RATE, 0.1, 3).encode([[b"", b""]])
