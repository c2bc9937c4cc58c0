"""A column of sounds is encoded by a published encoder of samples or spectrograms."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.auto.published import build_embedding
from tests.encoders.checkpoints import DATA
from tests.helpers import wav_bytes

AST = {"feature_extractor_type": "ASTFeatureExtractor", "max_length": 40}
AST |= {"num_mel_bins": 24, "mean": 0.0, "std": 1.0}
WAVE = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8_000}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")
@pytest.mark.parametrize("name, settings", [("ast", AST), ("wav2vec2_large", WAVE)])
def test_a_sound_is_encoded(name, settings, tmp_path):
    folder = tmp_path / name
    shutil.copytree(DATA / name, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    embedding = build_embedding(str(folder), "audio", "sound")
    files = [wav_bytes(), b"", b"no sound", wav_bytes(hertz=880.0)]
    vectors, decoded = embedding.decode(tf.constant(files))
    assert decoded.numpy().tolist() == [True, False, False, True]
    assert vectors.shape == (4, 16) and np.isfinite(vectors).all()
    assert not np.allclose(vectors[0], vectors[3])
