"""Frozen towers run once."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import teacher_name
from mbm_keras.models import show_attend_tell
from mbm_keras.tasks import Captioning
from mbm_keras.towers import image_application
from mbm_keras.training import Stage
from mbm_keras.training import fit_stages
from mbm_keras.training.frozen_outputs import FrozenTowerOutputs
from mbm_keras.training.frozen_outputs import can_precompute
from mbm_keras.training.frozen_outputs import without_towers
from tests.toys import are_same
from tests.toys import toy_data
from tests.toys import toy_model

FROZEN = ("image_tower", "table_tower")
WORDS = Captioning(vocabulary_size=8, sequence_length=3)


def captioning_model():
    """A captioning model on regions of a network of `keras.applications`."""
    keras.utils.set_random_seed(0)
    tower = functools.partial(
        image_application.build,
        application=keras.applications.VGG19,
        layer="block2_conv1",
        project=False,
        frozen=True,
    )
    return show_attend_tell.build(
        inputs=[InputSpec("image", "image", dict(size=32))],
        task=WORDS,
        towers={"image": tower},
        width=128,
        word_width=6,
        units=16,
        dropout=0.0,
        attention=show_attend_tell.Attention(penalty=0.0),
    )


def captions(rows=24):
    """Images with short captions, and images with long ones, in batches of their own.

    A caption is a word that the image shows, once or twice, and the end.
    """
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (rows, 32, 32, 3)).astype("uint8")
    word = 3 + np.arange(rows) % 5
    image[np.arange(rows), :, :20, 0] = (50 * (word - 3))[:, None, None]
    end = np.full(rows, 2)
    short = np.stack([word, end], axis=1).astype("int32")
    long = np.stack([word, word, end], axis=1).astype("int32")

    def batches(image, words):
        rows = {"image": image}, {"words": words}
        return tf.data.Dataset.from_tensor_slices(rows).batch(8)

    return batches(image[:16], short[:16]), batches(image[16:], long[16:])


@pytest.mark.slow
def test_regions_of_a_frozen_network_are_computed_once(monkeypatch):
    short, long = captions()
    model, data = captioning_model(), short.concatenate(long)
    tower = model.get_layer("image_tower")
    before = [w.copy() for w in tower.get_weights()]
    assert tower.output.shape == (None, 16 * 16, 128)
    seen = []
    run = tower.predict_on_batch
    monkeypatch.setattr(
        tower, "predict_on_batch", lambda x: seen.append(len(x)) or run(x)
    )
    stages = [Stage("words", 30, 0.01, frozen=("image_tower",))]
    history = fit_stages(model, stages, data, task=WORDS, verbose=0)["words"]
    assert seen == [8, 8, 8]
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert are_same(before, tower.get_weights())
    # The model that writes has the weights that were trained without the tower.
    captioner = show_attend_tell.captioner(model, WORDS)
    (x, _), *_ = data
    assert captioner.predict_on_batch({"image": x["image"]})["words"].shape == (8, 3)


def test_a_stage_takes_captions_of_one_known_length():
    _, long = captions()
    assert long.element_spec[1]["words"].shape == (None, 3)
    stages = [Stage("words", 1, frozen=("image_tower",))]
    history = fit_stages(captioning_model(), stages, long, task=WORDS, verbose=0)
    assert np.isfinite(history["words"]["loss"]).all()


def test_rows_of_several_lengths_are_padded():
    short, long = captions()
    model, data = captioning_model(), short.concatenate(long)
    batches = FrozenTowerOutputs(model, ("image_tower",), data.map(WORDS.feed))
    x, y = batches[2]
    assert x["image"].shape == (8, 256, 128) and len(batches) == 3
    words = batches.inputs[teacher_name("words")]
    assert words.shape == batches.targets["words"].shape == (24, 3)
    assert not words[:16, 2].any()
    images = np.concatenate([x["image"] for x, _ in data.as_numpy_iterator()])
    expected = model.get_layer("image_tower").predict(images[16:], verbose=0)
    np.testing.assert_allclose(x["image"], expected, rtol=1e-4, atol=1e-4)


def order_of(batches):
    """The rows of an epoch, as they come."""
    rows = [batches[i][0]["table"] for i in range(len(batches))]
    batches.on_epoch_end()
    return np.concatenate(rows).tolist()


def test_rows_come_in_an_order_of_their_epoch():
    make = functools.partial(
        FrozenTowerOutputs, toy_model(), ("image_tower",), toy_data(), shuffle=True
    )
    batches = make()
    first, second = order_of(batches), order_of(batches)
    assert first != second and sorted(first) == sorted(second)
    assert order_of(make(epoch=1)) == second


def test_only_towers_are_computed_before():
    model = toy_model()
    assert can_precompute(model, FROZEN) and not can_precompute(model, ("hidden",))


def test_a_tower_of_unique_values_is_not_computed_before():
    model = toy_model(unique=("image",))
    assert not can_precompute(model, ("image_tower",))
    assert can_precompute(model, ("table_tower",))


def test_the_rest_on_outputs_of_towers_is_the_model_on_inputs():
    model, data = toy_model(), toy_data()
    batches = FrozenTowerOutputs(model, FROZEN, data)
    assert len(batches) == 4
    rest = without_towers(model, FROZEN)
    for i, (inputs, targets) in enumerate(data):
        x, y = batches[i]
        left, right = rest(x)["label"], model(inputs)["label"]
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), atol=1e-5)
        np.testing.assert_array_equal(y["label"], targets["label"])


def test_the_rest_shares_the_weights_of_the_model():
    model = toy_model()
    rest = without_towers(model, FROZEN)
    assert {id(w) for w in rest.weights} < {id(w) for w in model.weights}
