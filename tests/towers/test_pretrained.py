"""Published encoders and other networks as towers."""

import functools
import json
import shutil

import keras
import numpy as np
import pytest

from mbm_keras import InputSpec
from mbm_keras.encoders import bert
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.towers import pretrained
from mbm_keras.weights import load
from tests.encoders.checkpoints import DATA
from tests.encoders.checkpoints import PAIRS
from tests.encoders.checkpoints import expected
from tests.encoders.checkpoints import read
from tests.helpers import assert_same

pytestmark = pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")


def words_of(inputs):
    """Tokens as a preprocessor gives them: 1 + id, and 0 for padding."""
    return np.where(inputs["mask"], inputs["token_ids"] + 1, 0).astype("int32")


@pytest.mark.parametrize("name", ["bert", "roberta", "mpnet", "modernbert"])
def test_a_folder_of_text_is_a_tower(name):
    inputs, outputs = expected(name)
    tower = pretrained.build(encoder=DATA / name, pool=False)
    y = tower({"text": words_of(inputs)})
    hidden = outputs["last_hidden_state"] * inputs["mask"][..., None]
    assert_same(y, hidden, 1e-5)
    np.testing.assert_array_equal(np.asarray(y._keras_mask), inputs["mask"])


def test_the_embedding_is_that_of_the_encoder():
    inputs, _ = expected("roberta")
    tower = pretrained.build(encoder=DATA / "roberta", name="review")
    y = load(DATA / "roberta")(inputs)["embedding"]
    assert_same(tower({"review": words_of(inputs)}), y)


def test_a_row_without_text_has_finite_outputs():
    for pool in (True, False):
        tower = pretrained.build(encoder=DATA / "bert", pool=pool)
        y = np.asarray(tower({"text": np.zeros((2, 3), "int32")}))
        assert np.isfinite(y).all()


def test_a_folder_of_images_is_a_tower():
    inputs, outputs = expected("vit")
    tower = pretrained.build(encoder=DATA / "vit", pool=False, name="photo")
    y = tower({"photo": inputs["pixels"]})
    assert_same(y, outputs["last_hidden_state"], 1e-5)


def test_positions_are_interpolated_for_the_size_of_an_image():
    tower = pretrained.build(encoder=DATA / "vit", size=24, width=4, name="photo")
    assert tower({"photo": np.zeros((2, 24, 24, 3), "float32")}).shape == (2, 4)


def copy_with_statistics(name, folder, **statistics):
    shutil.copytree(DATA / name, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(statistics))


@pytest.mark.parametrize("unit", [1.0, 255.0])
def test_images_of_levels_are_normalized_as_the_folder_says(tmp_path, unit):
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]
    folder = tmp_path / "vit"
    copy_with_statistics("vit", folder, image_mean=mean, image_std=std)
    levels = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    tower = pretrained.build(encoder=folder, normalized=False, name="photo")
    pixels = ((levels - mean) / std).astype("float32")
    y = load(folder)({"pixels": pixels})["embedding"]
    assert_same(tower({"photo": levels * unit}), y, 1e-4)


def test_levels_without_statistics_are_refused():
    with pytest.raises(ValueError, match="image_mean.*mean=None"):
        pretrained.build(encoder=DATA / "vit", normalized=False)


def dropping():
    tiny = dict(bert.PRESETS["tiny"].arguments)
    return bert.build(**{**tiny, "dropout": 0.5})


def test_a_frozen_encoder_rests(tmp_path):
    tower = pretrained.build(encoder=dropping, frozen=True, width=8)
    words = {"text": np.array([[3, 4, 5]])}
    assert len(tower.trainable_weights) == 2  # of the dense layer after it
    assert_same(tower(words, training=True), tower(words), 0)
    tower.save(tmp_path / "tower.keras")
    loaded = keras.models.load_model(tmp_path / "tower.keras")
    assert len(loaded.trainable_weights) == 2
    assert_same(loaded(words, training=True), tower(words), 0)


def test_what_is_frozen_in_part_stays_so():
    encoder = dropping()
    encoder.get_layer("embeddings.word_embeddings").trainable = False
    trainable = len(encoder.trainable_weights)
    tower = pretrained.build(encoder=encoder)
    assert len(tower.trainable_weights) == trainable


@pytest.mark.parametrize("pool, shape", [(True, (2, 6)), (False, (2, 1, 6))])
def test_a_network_of_keras_applications_is_a_tower(pool, shape):
    network = functools.partial(
        keras.applications.MobileNetV3Small,
        input_shape=(32, 32, 3),
        include_top=False,
        weights=None,
    )
    tower = pretrained.build(encoder=network, width=6, pool=pool, name="photo")
    assert tower({"photo": np.zeros((2, 32, 32, 3), "float32")}).shape == shape


def backbone():
    """A network with the inputs and outputs of a text backbone of `keras_hub`."""
    names = ("token_ids", "padding_mask", "segment_ids")
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
    mask = keras.ops.cast(inputs["padding_mask"][..., None], "float32")
    x = keras.layers.Embedding(20, 4)(inputs["token_ids"])
    x = x + 100.0 * keras.layers.Embedding(2, 4)(inputs["segment_ids"]) * mask
    first = keras.layers.Lambda(lambda x: x[:, 0], output_shape=(4,))(x)
    return keras.Model(inputs, {"sequence_output": x, "pooled_output": first})


def test_a_backbone_of_keras_hub_is_a_tower():
    tower = pretrained.build(encoder=backbone, width=6)
    assert tower({"text": np.array([[3, 4, 0]])}).shape == (1, 6)
    y = pretrained.build(encoder=backbone, pool=False)({"text": np.array([[3, 4, 0]])})
    assert np.asarray(y._keras_mask).tolist() == [[True, True, False]]
    assert not np.asarray(y)[0, 2].any()


def network_of_samples():
    samples = keras.Input((None,), name="samples")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = keras.ops.expand_dims(samples, -1)
    return keras.Model([samples, mask], {"sequence": x, "mask": mask})


def test_a_sound_ends_after_its_last_sample_that_is_not_zero():
    tower = pretrained.build(encoder=network_of_samples, pool=False, name="voice")
    y = tower({"voice": np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])})
    expected_mask = [[True, True, True, False], [False] * 4]
    assert np.asarray(y._keras_mask).tolist() == expected_mask


@pytest.mark.parametrize("vocabulary_size", [62, 1_000, 2])
def test_a_vocabulary_of_another_size_is_refused(vocabulary_size):
    message = f"60 ids.*Received: {vocabulary_size - 1} ids"
    encoder = DATA / "bert"
    if vocabulary_size == 2:
        message, encoder = message.replace("60", "1000"), large
    with pytest.raises(ValueError, match=message):
        pretrained.build(encoder=encoder, vocabulary_size=vocabulary_size)
    pretrained.build(encoder=DATA / "bert", vocabulary_size=61)


def large():
    tiny = dict(bert.PRESETS["tiny"].arguments)
    return bert.build(**{**tiny, "vocabulary_size": 1_000})


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    return keras.Model([a, b], a + b)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(encoder="missing/folder"), "fetch.*missing/folder"),
        (dict(encoder=two_inputs), r"one input.*\['a', 'b'\]"),
        (dict(encoder=dict), "function that makes one"),
        (dict(encoder=dropping, part="text"), "a folder.*part='text'"),
        (dict(encoder=dropping, changes={"dropout": 0.1}), "a folder.*changes"),
    ],
)
def test_what_is_not_an_encoder_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        pretrained.build(**arguments)


def test_a_network_without_steps_has_no_sequence():
    def pooled():
        x = keras.Input((3,), name="x")
        return keras.Model(x, keras.layers.Dense(2)(x))

    y = pretrained.build(encoder=pooled)({"text": np.zeros((2, 3))})
    assert y.shape == (2, 2)
    with pytest.raises(ValueError, match="`pool` is False"):
        pretrained.build(encoder=pooled, pool=False)


def of_spectrograms():
    x = keras.Input((7, 5), name="spectrogram")
    return keras.Model(x, keras.layers.Dense(2)(x))


def test_sizes_of_an_input_are_compared_with_the_encoder():
    build = pretrained.builder(of_spectrograms)
    tower = build(width=4, pool=True, name="voice", frames=7, num_mel_bins=5)
    assert tower.output.shape == (None, 4)
    for sizes in (dict(frames=7, num_mel_bins=6), dict(samples=7), dict(points=2)):
        with pytest.raises(ValueError, match=r"shape \(7, 5\)"):
            build(width=4, pool=True, name="voice", **sizes)


def test_an_encoder_of_sounds_is_built_for_the_frames_of_the_input():
    build = pretrained.builder(PAIRS / "clap", part="audio")
    tower = build(width=4, pool=True, name="song", frames=120, num_mel_bins=8)
    assert tower.inputs[0].shape == (None, 120, 8)
    with pytest.raises(ValueError, match=r"\(120, 8\).*num_mel_bins=9"):
        build(width=4, pool=True, name="song", frames=120, num_mel_bins=9)


@pytest.mark.parametrize("name", ["clip", "siglip", "clap"])
def test_a_half_of_a_pair_is_a_tower(name):
    inputs, outputs = read(PAIRS / name / "expected_text.npz")
    tower = pretrained.build(encoder=PAIRS / name, part="text")
    assert_same(tower({"text": words_of(inputs)}), outputs["embedding"], 1e-5)
    with pytest.raises(ValueError, match="part of .*text.*part=None"):
        pretrained.build(encoder=PAIRS / name)


def test_a_model_takes_published_towers():
    inputs = [
        InputSpec("review", "text", {"vocabulary_size": 61}),
        InputSpec("photo", "image", {"size": 16}),
    ]
    task = Classification(3)
    model = late_fusion.build(
        inputs=inputs,
        task=task,
        presence=False,
        towers={
            "review": pretrained.builder(DATA / "bert", frozen=True),
            "photo": pretrained.builder(DATA / "vit", frozen=True),
        },
    )
    arrays = {
        "review": np.array([[3, 4, 0], [5, 6, 7]], "int32"),
        "photo": np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32"),
    }
    model.compile("sgd", task.loss())
    before = model.get_layer("review_tower").get_weights()
    model.fit(arrays, np.array([0, 2]), verbose=0)
    after = model.get_layer("review_tower").get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 2  # of the dense layer after the encoder
