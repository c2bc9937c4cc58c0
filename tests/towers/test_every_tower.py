"""The contract of every tower. A new tower is tested when it is registered."""

import functools
import inspect

import keras
import numpy as np
import pytest

from mbm_keras.towers import TOWERS
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import random_inputs


def takes(name, argument):
    return argument in inspect.signature(TOWERS[name].build).parameters


every_tower = pytest.mark.parametrize("name", TOWERS)
every_text_tower = pytest.mark.parametrize(
    "name", [name for name in TOWERS if takes(name, "vocabulary_size")]
)
every_audio_tower = pytest.mark.parametrize(
    "name", [name for name in TOWERS if takes(name, "frames")]
)


def tiny(tower, /, **arguments):
    """A small tower with the same weights every time."""
    keras.utils.set_random_seed(0)
    return TOWERS[tower].build(**{**TOWERS[tower].PRESETS["tiny"], **arguments})


@functools.cache
def shared(name, pool=True):
    """A small tower that is built once, for tests that do not change it."""
    return tiny(name, pool=pool)


@every_tower
def test_takes_one_input_and_gives_one_embedding(name):
    tower = shared(name)
    (only,) = tower.inputs
    assert tower.name == f"{only.name}_tower"
    assert tower(random_inputs(tower)).shape == (2, 8)


@every_tower
def test_gives_a_sequence_without_pooling(name):
    tower = shared(name, pool=False)
    shape = tower(random_inputs(tower)).shape
    assert len(shape) == 3 and shape[2] == 8


@every_tower
def test_is_saved_and_loaded(name, tmp_path):
    tower = shared(name)
    x = random_inputs(tower)
    tower.save(tmp_path / "tower.keras")
    assert_same(tower(x), keras.models.load_model(tmp_path / "tower.keras")(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TOWERS if takes(name, "dropout")])
def test_dropout_acts_in_training_only(name):
    plain, dropping = tiny(name, dropout=0.0), tiny(name, dropout=0.5)
    dropping.set_weights(plain.get_weights())
    x = random_inputs(plain, batch=8)
    assert_same(dropping(x), plain(x))
    first, second = (np.asarray(dropping(x, training=True)) for _ in range(2))
    assert first.shape == plain(x).shape and (first != second).any()


@every_tower
def test_is_called_like_its_input(name):
    tower = tiny(name, name="left")
    assert tower.inputs[0].name == "left" and tower.name == "left_tower"


@every_tower
def test_every_weight_learns(name):
    tower = tiny(name)
    assert every_weight_gets_a_gradient(tower, random_inputs(tower, batch=8)) == []


@every_tower
def test_names_its_source_and_shapes(name):
    module = TOWERS[name]
    assert "Source: " in module.__doc__ and "http" in module.__doc__
    assert "Deviation" in module.__doc__
    assert "`(batch, width)`" in inspect.getdoc(module.build)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("audio_attention", dict(frames=3), "at least 4.*frames=3"),
        ("audio_attention", dict(num_mel_bins=3), "at least 4.*num_mel_bins=3"),
        ("audio_attention", dict(width=7), "even.*width=7"),
        ("audio_cnn", dict(frames=16, num_mel_bins=3), "at least 4.*num_mel_bins=3"),
        ("audio_crnn", dict(frames=3), "at least 4.*frames=3"),
        ("audio_crnn", dict(width=7), "even.*width=7"),
        ("ft_transformer", dict(width=7), "multiple of `num_heads`.*width=7"),
        ("ft_transformer", dict(numbers=0, categories=()), "at least one column"),
        ("audio_statistics", dict(frames=3), "at least 4.*frames=3"),
        ("audio_statistics", dict(filters=()), "a convolution or more"),
        ("image_cnn", dict(size=3), "at least 4.*size=3"),
        ("image_cnn", dict(strides=(2,)), "at least 1.*strides=\\(2,\\)"),
        ("image_cnn", dict(strides=(2, 0)), "at least 1.*strides=\\(2, 0\\)"),
        ("image_resnet", dict(size=3), "at least 4.*size=3"),
        ("image_statistics", dict(size=3), "at least 4.*size=3"),
        ("image_statistics", dict(filters=()), "a convolution or more"),
        ("points_gru", dict(width=7), "even.*width=7"),
        ("points_gru", dict(units=()), "a layer or more.*units="),
        ("points_net", dict(num_fields=0), "one number per point.*num_fields=0"),
        ("table_mlp", dict(numbers=0, categories=()), "at least one column.*numbers=0"),
        ("tabm", dict(numbers=0, categories=()), "at least one column.*numbers=0"),
        ("tabm", dict(num_members=0), "num_members >= 1.*num_members=0"),
        ("text_rnn", dict(width=7), "even.*width=7"),
        ("text_transformer", dict(width=7), "multiple of `num_heads`.*width=7"),
        ("text_wide_deep", dict(sequence_length=None), "sequence_length=None"),
        ("video_cnn", dict(size=3), "at least 4.*size=3"),
        ("video_cnn", dict(width=7), "even.*width=7"),
    ],
)
def test_rejects_sizes_that_do_not_fit(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(name, **arguments)


@every_text_tower
def test_padding_of_text_has_no_effect(name):
    short = {"text": np.array([[3, 4, 5]])}
    padded = {"text": np.array([[3, 4, 5, 0, 0]])}
    assert_same(shared(name)(short), shared(name)(padded))


@every_text_tower
def test_a_sequence_of_words_has_its_padding_as_mask(name):
    out = shared(name, pool=False)({"text": np.array([[3, 4, 0]])})
    mask = keras.ops.convert_to_numpy(out._keras_mask)
    np.testing.assert_array_equal(mask, [[True, True, False]])


def spectrograms(*lengths, frames):
    """Random spectrograms with zeros after the end of each."""
    x = np.random.default_rng(0).normal(size=(len(lengths), frames, 8))
    valid = np.arange(frames) < np.array(lengths)[:, None]
    return {"audio": (x * valid[:, :, None]).astype("float32")}


@every_audio_tower
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_padding_of_audio_has_no_effect(name, pool, training):
    longest = spectrograms(9, 13, 16, frames=40)["audio"]
    tower = tiny(name, frames=None, pool=pool)
    weights = tower.get_weights()
    outputs, statistics = [], []
    for padded in (longest[:, :16], longest[:, :19], longest):
        tower.set_weights(weights)
        y = tower({"audio": padded}, training=training)
        outputs.append(np.asarray(y if pool else y[:, :4]))
        statistics.append([np.asarray(v) for v in tower.non_trainable_variables])
    for other in (1, 2):
        assert_same(outputs[0], outputs[other])
        assert_same(statistics[0], statistics[other])


@every_audio_tower
@pytest.mark.parametrize("frames", [16, 19, 40])
def test_a_sequence_of_audio_has_its_padding_as_mask_and_zeros_in_it(name, frames):
    tower = tiny(name, frames=None, pool=False)
    y = tower(spectrograms(9, 13, 16, frames=frames))
    mask = np.asarray(y._keras_mask)
    assert mask.sum(axis=1).tolist() == [3, 4, 4]
    assert not np.asarray(y)[~mask].any()


@every_audio_tower
def test_every_weight_learns_from_audio_of_any_length(name):
    tower = tiny(name, frames=None)
    x = spectrograms(9, 13, 20, 24, frames=24)
    assert every_weight_gets_a_gradient(tower, x) == []


@every_audio_tower
def test_a_tower_for_audio_of_any_length_is_saved_and_loaded(name, tmp_path):
    tower = tiny(name, frames=None)
    tower.save(tmp_path / "tower.keras")
    loaded = keras.models.load_model(tmp_path / "tower.keras")
    x = spectrograms(9, 13, 20, 24, frames=24)
    assert_same(tower(x), loaded(x))


@every_audio_tower
def test_a_batch_of_padding_alone_gives_finite_values(name):
    y = tiny(name, frames=None)({"audio": np.zeros((2, 24, 8), "float32")})
    assert np.isfinite(np.asarray(y)).all()
