"""From a table of sounds and texts, by a published encoder, to a text with times."""

import json
import shutil

import pytest

import mbm_keras as mbm
from tests.encoders.checkpoints import DATA
from tests.helpers import wav_bytes

RATE = 1_000
SETTINGS = {"feature_extractor_type": "Wav2Vec2FeatureExtractor"}

pytestmark = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny encoder of samples, and a table of tones and their names."""
    path = tmp_path_factory.mktemp("speech")
    shutil.copytree(DATA / "wav2vec2", path / "encoder")
    settings = json.dumps({**SETTINGS, "sampling_rate": RATE})
    (path / "encoder" / "preprocessor_config.json").write_text(settings)
    rows = []
    for i in range(24):
        sound = wav_bytes(seconds=0.4 + 0.02 * i, hertz=50.0 * (1 + i % 3), rate=RATE)
        (path / f"{i}.wav").write_bytes(sound)
        rows.append({"sound": f"{i}.wav", "text": f"{'abc'[i % 3]} b{i % 2}"})
    rows[5]["text"] = "abcb" * 12  # 48 letters in 500 samples
    (path / "rows.json").write_text(json.dumps(rows))
    return path


def test_frozen_embeddings_are_no_steps_to_write_from(folder):
    towers = {"sound": str(folder / "encoder")}
    with pytest.raises(ValueError, match="tune='frozen'"):
        mbm.plan(
            folder / "rows.json",
            "text",
            towers=towers,
            task="transcript",
            tune="frozen",
        )


@pytest.mark.slow
def test_a_tower_is_trained_served_and_heard(folder):
    towers = {"sound": str(folder / "encoder")}
    choices = dict(task="transcript", epochs=1, verbose=0, max_broken=0.5)
    run = mbm.train(
        folder / "rows.json", "text", towers=towers, out=folder / "run", **choices
    )
    assert (run.plan.tune, run.plan.model) == ("adapters", "speech_recognizer")
    assert 0.85 < run.plan.inputs["sound"].sizes["seconds"] < 1.0
    found = (folder / "run" / "quarantine.csv").read_text()
    assert "500 samples are 24 steps, and the text needs 48" in found
    (folder / "encoder").rename(folder / "gone")  # a finished run needs it no more
    run.export(folder / "served")
    heard = mbm.transcribe(folder / "23.wav", folder / "served")
    assert heard["sound_seconds"] == pytest.approx(0.86) and heard["windows"] == 1
    assert len(run.predict(folder / "rows.json")) == 24
