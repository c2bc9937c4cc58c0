"""The classifier of clips: its sound, its crops, and what is absent."""

import keras
import numpy as np
import pytest

from mbm_keras.fusion import BottleneckFusion
from mbm_keras.inputs import PRESENT
from mbm_keras.models import video_classifier
from mbm_keras.tasks import Classification
from mbm_keras.towers import video_frame
from mbm_keras.towers import video_r2plus1d
from tests.helpers import assert_same
from tests.helpers import random_inputs

CROPS = video_classifier.PRESETS["crops"].arguments


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return video_classifier.build(**CROPS)


def test_the_answer_is_the_mean_of_the_answers_for_the_crops(model):
    half = [dict(spec.sizes) for spec in CROPS["inputs"]]
    half[0]["num_frames"], half[1]["frames"] = 8, 32
    specs = [
        type(spec)(spec.name, spec.modality, sizes)
        for spec, sizes in zip(CROPS["inputs"], half, strict=True)
    ]
    alone = video_classifier.build(inputs=specs, task=CROPS["task"], width=8)
    alone.set_weights([w for w in model.get_weights() if w.dtype != np.uint32])
    x = random_inputs(model)
    parts = [
        alone(
            {
                "clip": x["clip"][:, i : i + 8],
                "sound": x["sound"][:, 4 * i : 4 * i + 32],
                PRESENT: x[PRESENT],
            }
        )["label"]
        for i in (0, 4, 8)
    ]
    assert_same(model(x)["label"], np.mean([np.asarray(y) for y in parts], axis=0))


def test_training_sees_another_crop_each_time(model):
    x = random_inputs(model, batch=8)
    x["clip"] *= 255 * np.random.default_rng(1).random(x["clip"].shape)
    answers = [np.asarray(model(x, training=True)["label"]) for _ in range(2)]
    assert answers[0].shape == (8, 3) and np.abs(answers[0] - answers[1]).max() > 1e-3


def test_a_crop_after_the_end_of_a_clip_has_only_its_sound(model):
    x = random_inputs(model)
    x["clip"][:, 8:] = 0
    full = model(x)["label"]
    content = {**x, "clip": x["clip"].copy()}
    content["clip"][0] = 0
    content[PRESENT] = np.array([[False, True], [True, True]])
    y = model(content)["label"]
    assert_same(y[1], full[1])
    assert np.abs(np.asarray(y[0] - full[0])).max() > 1e-6


@pytest.mark.parametrize("tower", [video_frame, video_r2plus1d])
@pytest.mark.parametrize("number", [1, 2])
def test_takes_other_towers_and_tokens_that_both_exchange(tower, number):
    inputs = CROPS["inputs"][:number]
    sizes = {k: v for k, v in tower.PRESETS["tiny"].items() if "size" not in k}
    sizes = {k: v for k, v in sizes.items() if k not in ("num_frames", "width")}

    def build(**given):
        return tower.build(**{**sizes, **given})

    model = video_classifier.build(
        inputs=inputs,
        task=Classification(3),
        towers={"clip": build},
        fusion=BottleneckFusion(8),
        width=8,
        num_crops=2,
        share=0.5,
    )
    assert model(random_inputs(model))["label"].shape == (2, 3)


def test_one_frame_is_the_middle_of_the_frames_that_are_not_padding():
    tower = video_frame.build(5, 16, filters=(4,), width=8)
    clip = np.random.default_rng(0).integers(1, 256, (1, 5, 16, 16, 3))
    clip = clip.astype("float32")
    clip[:, 3:] = 0
    middle = np.zeros_like(clip)
    middle[:, 0] = clip[:, 1]
    assert_same(tower(clip), tower(middle))


def test_an_exported_model_averages_the_crops(model, tmp_path):
    import tensorflow as tf

    x = random_inputs(model, batch=3)
    model.export(str(tmp_path), verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    y = served.serve([tf.constant(x[tensor.name]) for tensor in model.inputs])
    assert_same(y["label"], model(x)["label"])
