"""Plans of the models for clips and sounds, and runs from tables of them."""

import dataclasses

import polars as pl
import pytest

import mbm_keras as mbm
from data_pipelines.datasets import moving_shapes
from mbm_keras.auto.build import build_mixup
from mbm_keras.auto.build import build_model
from mbm_keras.auto.build import build_towers
from mbm_keras.auto.build import length_key
from mbm_keras.auto.fit import draft_inputs
from mbm_keras.auto.fit import draft_task
from tests.helpers import clip_bytes
from tests.helpers import wav_bytes


def clips(folder, seconds):
    files = {f"{i}.avi": clip_bytes(seconds=seconds, rate=5) for i in range(4)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    rows = pl.DataFrame({"clip": list(files) * 4, "answer": list("abab") * 4})
    rows.write_csv(folder / "rows.csv")
    return folder / "rows.csv"


def test_a_long_clip_is_learned_from_in_crops(tmp_path):
    plan = mbm.plan(clips(tmp_path, 9.0), "answer", model="video_classifier")
    assert plan.model_sizes == {"num_crops": 3, "share": 1 / 3}
    assert plan.inputs["clip"].sizes["num_frames"] == 48
    assert plan.inputs["clip_sound"].tower == "audio_crnn"
    assert plan.fusion == "in_step"
    assert "16 frames in each of 3 crops" in plan.inputs["clip"].reason


def test_a_short_clip_is_taken_whole(tmp_path):
    plan = mbm.plan(clips(tmp_path, 2.0), "answer", model="video_classifier")
    assert plan.model_sizes == {} and plan.inputs["clip"].sizes["num_frames"] == 16
    other = mbm.plan(tmp_path / "rows.csv", "answer")
    assert other.inputs["clip"].sizes["num_frames"] == 8
    assert other.inputs["clip_sound"].tower == "audio_statistics"


def sounds(folder, seconds):
    for i in range(4):
        data = wav_bytes(seconds, hertz=300 + 50 * i)
        (folder / f"{i}.wav").write_bytes(data)
    rows = {"sound": [f"{i}.wav" for i in range(4)] * 4, "answer": list("abab") * 4}
    pl.DataFrame(rows).write_csv(folder / "rows.csv")
    return folder / "rows.csv"


@pytest.mark.parametrize("seconds, sizes", [(0.5, {}), (3.0, dict(num_crops=5))])
def test_a_sound_is_heard_by_attention_over_time(tmp_path, seconds, sizes):
    table = sounds(tmp_path, seconds)
    plan = mbm.plan(table, "answer", model="sound_classifier")
    crops = {**sizes, "share": 0.5} if sizes else {}
    assert {**plan.model_sizes} == {"sample_rate": 8_000, **crops}
    assert plan.inputs["sound"].preprocessor == "Waveform"
    assert list(build_towers(plan)) == ["sound"]
    model = build_model(plan, draft_inputs(plan), draft_task(plan))
    assert model.output["answer"].shape == (None, 2)


def test_samples_are_mixed_with_their_classes_in_training(tmp_path):
    plan = mbm.plan(sounds(tmp_path, 0.5), "answer", model="sound_classifier")
    specs, task = draft_inputs(plan), draft_task(plan)
    mixed, encoded, learned = build_mixup(plan, specs, task)
    assert mixed is not None and encoded is not None
    assert learned == dataclasses.replace(task, shares=True)
    weighted = dataclasses.replace(task, class_weights=(0.5, 1.5))
    for other, change in ((weighted, {}), (task, {"augment": False})):
        same = build_mixup(dataclasses.replace(plan, **change), specs, other)
        assert same == (None, None, other)
    others = mbm.plan(tmp_path / "rows.csv", "answer")
    assert build_mixup(others, draft_inputs(others), task) == (None, None, task)


@pytest.mark.slow
def test_a_table_of_sounds_is_trained_in_mixtures_and_answered(tmp_path):
    run = mbm.train(
        sounds(tmp_path, 0.5),
        "answer",
        model="sound_classifier",
        out=tmp_path / "run",
        epochs=2,
        baselines=False,
        verbose=0,
    )
    # Scored on ids of classes, and finite.
    assert 0 < run.metrics["splits"]["valid"]["loss"] < 10
    exported = run.export(tmp_path / "served")
    assert exported["largest_difference"] < 1e-4


def test_a_voice_is_heard_to_its_end_next_to_those_of_its_length(tmp_path):
    table = sounds(tmp_path, 0.5)
    plan = mbm.plan(table, "answer", model="language_identifier")
    specs = draft_inputs(plan)
    assert specs[0].sizes["frames"] is None and length_key(plan, specs) == "sound"
    model = build_model(plan, specs, draft_task(plan))
    assert model.output["answer"].shape == (None, 2)


def test_music_has_longer_hops(tmp_path):
    plan = mbm.plan(sounds(tmp_path, 0.5), "answer", model="music_classifier")
    specs = draft_inputs(plan)
    assert specs[0].sizes["frames"] == 23  # of 0.02 s, where a window is 0.05 s
    model = build_model(plan, specs, draft_task(plan))
    assert model.output["answer"].shape == (None, 2)


@pytest.mark.slow
def test_a_table_of_clips_is_trained_and_answered(tmp_path):
    path = moving_shapes.write(tmp_path / "clips", rows=40, image_size=32)
    run = mbm.train(
        path,
        "answer",
        model="video_classifier",
        fusion="bottleneck",
        out=tmp_path / "run",
        epochs=1,
        baselines=False,
        verbose=0,
    )
    assert run.metrics["splits"]["test"]["rows"] == 6
    exported = run.export(tmp_path / "served")
    assert exported["compared_rows"] == 4 and exported["largest_difference"] < 1e-4
