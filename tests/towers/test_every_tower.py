"""What every tower must do. A new tower is tested by being listed."""

import functools
import inspect

import keras
import numpy as np
import pytest
from keras import layers

from mbm_keras.inputs import InputSpec
from mbm_keras.towers import TOWERS
from mbm_keras.towers import image_cnn
from mbm_keras.towers.encode import encode
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import random_inputs

every_tower = pytest.mark.parametrize("name", TOWERS)


def tiny(tower, /, **arguments):
    keras.utils.set_random_seed(0)
    return TOWERS[tower].build(**{**TOWERS[tower].PRESETS["tiny"], **arguments})


@every_tower
def test_one_modality_in_one_embedding_out_and_back_from_disk(name, tmp_path):
    tower = tiny(name)
    (only,) = tower.inputs
    assert tower.name == f"{only.name}_tower"
    x = random_inputs(tower)
    assert tower(x).shape == (2, 8)
    tower.save(tmp_path / "tower.keras")
    assert_same(tower(x), keras.models.load_model(tmp_path / "tower.keras")(x))


@every_tower
def test_dropout_changes_no_shape_and_nothing_after_training(name):
    if "dropout" not in inspect.signature(TOWERS[name].build).parameters:
        pytest.skip("it has none")
    plain, dropping = tiny(name, dropout=0.0), tiny(name, dropout=0.5)
    dropping.set_weights(plain.get_weights())
    x = random_inputs(plain)
    assert_same(dropping(x), plain(x))
    assert dropping(x, training=True).shape == plain(x).shape


@every_tower
def test_or_a_sequence(name):
    tower = tiny(name, pool=False)
    shape = tower(random_inputs(tower)).shape
    assert len(shape) == 3 and shape[2] == 8


@every_tower
def test_takes_the_name_of_its_input(name):
    tower = tiny(name, name="left")
    assert tower.inputs[0].name == "left" and tower.name == "left_tower"


@every_tower
def test_every_weight_learns(name):
    if name == "image_application":
        pytest.skip("its weights are those of keras.applications")
    tower = tiny(name)
    x = random_inputs(tower, batch=8)
    assert every_weight_gets_a_gradient(tower, x) == []


@every_tower
def test_names_its_source_and_shapes(name):
    module = TOWERS[name]
    assert "http" in module.__doc__
    assert "`(batch, width)`" in inspect.getdoc(module.build)


@pytest.mark.parametrize("name", ["text_cnn", "text_rnn", "text_transformer"])
def test_padding_never_counts_in_text(name):
    tower = tiny(name)
    short = np.array([[3, 4, 5]])
    padded = np.array([[3, 4, 5, 0, 0]])
    assert_same(tower(short), tower(padded))


@pytest.mark.parametrize("name", ["text_cnn", "text_rnn", "text_transformer"])
def test_a_text_sequence_carries_its_padding_as_mask(name):
    tower = tiny(name, pool=False)
    out = tower(np.array([[3, 4, 0]]))
    mask = keras.ops.convert_to_numpy(out._keras_mask)
    np.testing.assert_array_equal(mask, [[True, True, False]])


@pytest.mark.parametrize("rnn", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_every_recurrent_layer(rnn, bidirectional):
    tower = tiny("text_rnn", rnn=rnn, bidirectional=bidirectional)
    assert tower(np.array([[3, 4, 0]])).shape == (1, 8)


def test_parameters_by_hand():
    # Embedding 20*8, convolutions of 1 and 3 words: 8*8+8 and 3*8*8+8.
    assert tiny("text_cnn").count_params() == 160 + 72 + 200
    # 3x3x3 to 4 with its bias, 3x3x4 to 8 with batch normalization, 8 to 8 per region.
    assert tiny("image_cnn").count_params() == 108 + 4 + 288 + 32 + 72
    # two numbers twice, an embedding of 4 by 3 and of 3 by 3, dense 8 and 8.
    assert tiny("table_mlp").count_params() == 12 + 9 + (4 + 6) * 8 + 8 + 72


def test_a_stride_of_one_lets_every_region_see_more():
    arguments = dict(size=32, filters=(4, 8, 8), pool=False)
    narrow = tiny("image_cnn", **arguments | dict(filters=(4, 8)))
    wide = tiny("image_cnn", **arguments, strides=(2, 1, 2))
    assert narrow.output_shape == wide.output_shape == (None, 64, 8)

    def seen(tower):
        """Pixels that move the region in the middle: an edge of the square."""
        plain = np.full((1, 32, 32, 3), 128, "uint8")
        lit = np.repeat(plain, 32, axis=0)
        lit[np.arange(32), 16, np.arange(32)] = 255  # one pixel of a row each
        middle = 4 * 8 + 4
        change = np.asarray(tower({"image": lit}) - tower({"image": plain}))[:, middle]
        return np.flatnonzero(np.abs(change).max(axis=1) > 1e-7)

    # 3 + 2 * 2 pixels, and 3 + 2 * 2 + 2 * 2.
    assert np.ptp(seen(narrow)) < 7 <= np.ptp(seen(wide)) < 11


def test_a_frozen_application_stays_frozen_after_loading(tmp_path):
    tower = tiny("image_application", frozen=True)
    trainable = [w.path for w in tower.trainable_weights]
    assert len(trainable) == 2  # the dense layer on top
    tower.save(tmp_path / "tower.keras")
    again = keras.models.load_model(tmp_path / "tower.keras")
    assert len(again.trainable_weights) == 2


def test_an_application_up_to_one_of_its_layers():
    """The grid that Show, Attend and Tell looks at: 14 x 14 x 512 of VGG-19 at 224."""
    arguments = dict(application=keras.applications.VGG19, layer="block5_conv4")
    arguments |= dict(pool=False, project=False, width=512, frozen=True)
    tower = tiny("image_application", size=224, **arguments)
    assert tower.output_shape == (None, 14 * 14, 512)
    # Without its dense layers, and the last pooling that has no weights.
    assert tower.count_params() == 20_024_384 and not tower.trainable_weights
    with pytest.raises(ValueError, match="width=8, channels=512"):
        tiny("image_application", **arguments | dict(width=8))
    with pytest.raises(ValueError, match="No such layer: block9"):
        tiny("image_application", **arguments | dict(layer="block9"))


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("audio_cnn", dict(frames=16, num_mel_bins=3), "at least 4.*num_mel_bins=3"),
        ("audio_crnn", dict(width=7), "even.*width=7"),
        ("image_cnn", dict(size=3), "at least 4.*size=3"),
        ("image_cnn", dict(strides=(2,)), "a stride of at least 1.*strides=\\(2,\\)"),
        ("image_cnn", dict(strides=(2, 0)), "at least 1.*strides=\\(2, 0\\)"),
        ("image_resnet", dict(size=3), "at least 4.*size=3"),
        ("table_mlp", dict(numbers=0, categories=()), "at least one column.*numbers=0"),
        ("text_rnn", dict(width=7), "even.*width=7"),
        ("text_transformer", dict(width=7), "multiple of `num_heads`.*width=7"),
    ],
)
def test_rejects(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(name, **arguments)


def sounds(*lengths, frames):
    """Spectrograms of several lengths, zeros after their ends."""
    x = np.random.default_rng(0).normal(size=(len(lengths), frames, 8))
    valid = np.arange(frames) < np.array(lengths)[:, None]
    return (x * valid[:, :, None]).astype("float32")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("name", ["audio_cnn", "audio_crnn"])
def test_padding_never_counts_in_sound(name, pool, training):
    long = sounds(9, 13, 16, frames=40)
    outputs, statistics = [], []
    for padded in (long[:, :16], long[:, :19], long):
        tower = tiny(name, frames=None, pool=pool)
        y = tower(padded, training=training)
        outputs.append(np.asarray(y if pool else y[:, :4]))
        statistics.append([np.asarray(v) for v in tower.non_trainable_variables])
        if not pool:
            mask = np.asarray(y._keras_mask)
            assert mask.sum(axis=1).tolist() == [3, 4, 4]
            assert not np.asarray(y)[~mask].any()
    for other in (1, 2):
        assert_same(outputs[0], outputs[other])
        assert_same(statistics[0], statistics[other])


@pytest.mark.parametrize("name", ["audio_cnn", "audio_crnn"])
def test_sounds_of_several_lengths_train_and_come_back_from_disk(name, tmp_path):
    tower = tiny(name, frames=None)
    x = {"audio": sounds(9, 13, 20, 24, frames=24)}
    assert every_weight_gets_a_gradient(tower, x) == []
    tower.save(tmp_path / "tower.keras")
    again = keras.models.load_model(tmp_path / "tower.keras")
    assert_same(tower(x), again(x))
    assert np.isfinite(np.asarray(again({"audio": np.zeros((2, 24, 8))}))).all()


PHOTO = InputSpec("photo", "image", {"size": 16}, key="photo_input")


def test_encode_gives_an_input_and_what_its_tower_makes_of_it():
    x, y = encode(PHOTO, width={"photo": 8}, pool=True)
    assert x.name == "photo_input" and x.shape == (None, 16, 16, 3)
    assert y.shape == (None, 8)
    model = keras.Model(x, y)
    assert model.get_layer(PHOTO.tower).count_params()


@pytest.mark.parametrize(
    "sizes, builder, message",
    [
        ({"sise": 64}, None, r"input 'photo' \(image\): size. Received: sise=64\."),
        ({}, None, r"input 'photo' \(image\): size. Received: none\."),
        (
            {"size": 64, "sise": 3},
            functools.partial(image_cnn.build, filters=(4, 8)),
            r"\(image\): size. Received: size=64, sise=3\.",
        ),
    ],
)
def test_encode_rejects_sizes_that_no_tower_takes(sizes, builder, message):
    towers = {"photo": builder} if builder else None
    with pytest.raises(ValueError, match=message):
        encode(InputSpec("photo", "image", sizes), width=8, pool=True, towers=towers)


def test_encode_rejects_a_modality_without_a_tower():
    with pytest.raises(ValueError, match="name='a', modality='smell'"):
        encode(InputSpec("a", "smell"), width=8, pool=True)
