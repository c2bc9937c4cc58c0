"""The speech recognizer on published encoders: a sound alone and in a batch."""

import json
import shutil

import numpy as np
import pytest

from mbm_keras.auto import published
from mbm_keras.inputs import InputSpec
from mbm_keras.models import speech_recognizer
from mbm_keras.preprocessing import Transcript
from mbm_keras.tasks import Transcription
from tests.encoders.checkpoints import DATA
from tests.helpers import assert_same
from tests.helpers import numpy

WAVE = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 1_000}
MEL = {"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 4_000}
MEL |= {"feature_size": 12, "n_fft": 100, "hop_length": 40, "chunk_length": 0.4}
FOLDERS = {"wav2vec2": WAVE, "wav2vec2_large": WAVE, "hubert": WAVE, "whisper": MEL}
SHAPES = {"whisper": (33, 12)}
TASK = Transcription(5, space=1)

pytestmark = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def build(path, name, length):
    folder = path / name
    shutil.copytree(DATA / name, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(FOLDERS[name]))
    reader = published.build_reader(str(folder), "audio", seconds=length)
    spec = InputSpec("sound", reader.modality, reader.sizes())
    towers = {"sound": published.build_tower(str(folder), "audio")}
    model = speech_recognizer.build(inputs=[spec], task=TASK, towers=towers)
    target = Transcript("a b", convolutions=published.convolutions_of(str(folder)))
    return model, target


@pytest.mark.parametrize("name", FOLDERS)
def test_a_sound_has_its_own_steps_in_a_batch_of_longer_ones(tmp_path, name):
    model, target = build(tmp_path, name, 0.35)
    shape = SHAPES.get(name, (350,))
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(3, *shape)).astype("float32")
    lengths = np.array([shape[0], shape[0] // 2, 5])
    for row, length in zip(batch, lengths, strict=True):
        row[length:] = 0
    logits = numpy(model({"sound": batch})["text"])
    steps = (logits != 0).any(axis=-1)
    assert steps.sum(axis=1).tolist() == target.num_steps(lengths).tolist()
    assert np.isfinite(logits).all()
    half = model({"sound": batch[1:2, : lengths[1]]})["text"]
    assert_same(half, logits[1:2, : half.shape[1]], atol=1e-4)


def test_samples_need_a_tower_and_a_tower_has_one_input():
    wave = InputSpec("sound", "wave", dict(samples=100))
    with pytest.raises(ValueError, match="one sound and no other input"):
        speech_recognizer.check_fit([wave], TASK)
    other = InputSpec("more", "wave", dict(samples=100))

    def tower(*, samples, width, pool, name):
        raise AssertionError

    speech_recognizer.check_fit([wave], TASK, {"sound": tower})
    with pytest.raises(ValueError, match="one sound and no other input"):
        towers = {"sound": tower, "more": tower}
        speech_recognizer.check_fit([wave, other], TASK, towers)


def test_encoders_without_steps_in_time_are_refused():
    with pytest.raises(ValueError, match="an encoder of speech in .*'audio-spectro"):
        published.convolutions_of(str(DATA / "ast"))
