"""Properties of single towers: parameters, options, receptive fields."""

import keras
import numpy as np
import pytest
from keras import layers

from mbm_keras.towers import image_application
from mbm_keras.towers import image_cnn
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import table_mlp
from mbm_keras.towers import text_cnn
from mbm_keras.towers import text_rnn
from mbm_keras.towers import text_wide_deep


def test_text_cnn_has_the_parameters_of_its_formula():
    # An embedding of 20 words by 8, convolutions of one and three words.
    tower = text_cnn.build(20, width=8)
    assert tower.count_params() == 20 * 8 + (8 * 8 + 8) + (3 * 8 * 8 + 8)


def test_text_wide_deep_without_grams_is_text_cnn():
    keras.utils.set_random_seed(0)
    deep = text_wide_deep.build(20, width=8)
    cnn = text_cnn.build(20, width=8)
    cnn.set_weights(deep.get_weights())
    ids = {"text": np.array([[3, 4, 5, 0]])}
    np.testing.assert_allclose(deep(ids), cnn(ids), atol=1e-6)


def test_text_wide_deep_adds_the_weighted_vectors_of_grams():
    keras.utils.set_random_seed(0)
    tower = text_wide_deep.build(20, 5, 3, width=8, rank=4)
    vectors, kernel, _ = weights_of_grams(tower)
    words, nothing = [3, 4, 0], [0, 0]
    grams = [1 + 5 * 30, 4 + 5 * 40]  # weights 0.6 and 0.8
    both, deep = np.asarray(
        tower({"text": np.array([[*words, *grams], [*words, *nothing]])})
    )
    expected = (0.6 * vectors[1] + 0.8 * vectors[4]) @ kernel
    np.testing.assert_allclose(both - deep, expected, atol=1e-5)


def weights_of_grams(tower):
    """Vectors, kernel and bias of the wide part."""
    embeddings = [x for x in tower.layers if isinstance(x, layers.Embedding)]
    grams = next(x for x in embeddings if x.input_dim == 5)
    (dense,) = (x for x in tower.layers if isinstance(x, layers.Dense))
    return [np.asarray(w) for w in [*grams.weights, *dense.weights]]


def test_image_cnn_has_the_parameters_of_its_formula():
    tower = image_cnn.build(16, filters=(4, 8), width=8)
    convolutions = (3 * 3 * 3 * 4 + 4) + 3 * 3 * 4 * 8
    normalization, dense = 4 * 8, 8 * 8 + 8
    assert tower.count_params() == convolutions + normalization + dense


def test_table_mlp_has_the_parameters_of_its_formula():
    # Two numbers with a flag each, embeddings of 4 ids by 3 and of 3 by 3.
    tower = table_mlp.build(2, (4, 3), units=(8,), width=8)
    assert tower.count_params() == 4 * 3 + 3 * 3 + (4 + 6) * 8 + 8 + (8 * 8 + 8)


def test_table_mlp_depends_on_every_column():
    tower = table_mlp.build(2, (4, 3), units=(8,), width=8)
    row = np.array([0.5, -0.5, 1, 1, 1, 1], "float32")  # numbers, flags, ids
    rows = np.stack([row, *(row + np.eye(6, dtype="float32"))])
    expected, *changed = np.asarray(tower({"table": rows}))
    assert (np.abs(np.stack(changed) - expected).max(axis=1) > 1e-6).all()


@pytest.mark.parametrize("rnn", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_text_rnn_takes_every_recurrent_layer(rnn, bidirectional):
    tower = text_rnn.build(20, width=8, rnn=rnn, bidirectional=bidirectional)
    assert tower({"text": np.array([[3, 4, 0]])}).shape == (1, 8)


def test_text_rnn_has_the_given_number_of_layers():
    tower = text_rnn.build(20, width=8, rnn=layers.SimpleRNN, num_layers=2)
    one = 8 * 4 + 4 * 4 + 4  # a direction of 4 units over 8 numbers
    assert tower.count_params() == 20 * 8 + 2 * 2 * one


def test_two_recurrent_layers_of_50_read_vectors_of_100():
    tower = sequence_rnn.build(
        100, rnn=layers.SimpleRNN, num_layers=2, units=None, width=50
    )
    x = np.random.default_rng(0).standard_normal((2, 7, 100)).astype("float32")
    w = tower.get_weights()
    h = [np.zeros((2, 50)), np.zeros((2, 50))]
    for t in range(7):
        h[0] = np.tanh(x[:, t] @ w[0] + h[0] @ w[1] + w[2])
        h[1] = np.tanh(h[0] @ w[3] + h[1] @ w[4] + w[5])
    np.testing.assert_allclose(tower({"sequence": x}), h[1], atol=1e-5)


@pytest.mark.parametrize("module", [text_rnn, sequence_rnn])
def test_a_recurrent_tower_has_a_layer_at_least(module):
    with pytest.raises(ValueError, match="num_layers >= 1. Received: num_layers=0"):
        module.build(20, num_layers=0)


def test_a_stride_of_one_increases_the_part_of_the_image_that_a_region_sees():
    arguments = dict(width=8, pool=False)
    narrow = image_cnn.build(32, filters=(4, 8), **arguments)
    wide = image_cnn.build(32, filters=(4, 8, 8), strides=(2, 1, 2), **arguments)
    assert narrow.output_shape == wide.output_shape == (None, 64, 8)

    def pixels_seen(tower):
        """Columns that change the region in the middle, in the row through it."""
        gray = np.full((1, 32, 32, 3), 128, "uint8")
        changed = np.repeat(gray, 32, axis=0)
        changed[np.arange(32), 16, np.arange(32)] = 255  # one pixel in each image
        middle = 4 * 8 + 4
        change = np.asarray(tower({"image": changed}) - tower({"image": gray}))
        return np.flatnonzero(np.abs(change[:, middle]).max(axis=1) > 1e-7)

    # 3 + 2 * 2 pixels, and 3 + 2 * 2 + 2 * 2.
    assert np.ptp(pixels_seen(narrow)) < 7 <= np.ptp(pixels_seen(wide)) < 11


@pytest.fixture(scope="module")
def frozen():
    keras.utils.set_random_seed(0)
    small = keras.applications.MobileNetV3Small
    return image_application.build(32, application=small, width=8, frozen=True)


def test_a_frozen_application_trains_its_dense_layer_only(frozen):
    kernel, bias = frozen.trainable_weights
    assert kernel.shape[-1] == bias.shape[0] == 8


def test_a_frozen_application_stays_frozen_after_loading(frozen, tmp_path):
    frozen.save(tmp_path / "tower.keras")
    loaded = keras.models.load_model(tmp_path / "tower.keras")
    assert len(loaded.trainable_weights) == 2


VGG = dict(
    application=keras.applications.VGG19,
    layer="block5_conv4",
    pool=False,
    project=False,
    frozen=True,
)


def test_an_application_up_to_a_layer_gives_the_grid_of_show_attend_and_tell():
    tower = image_application.build(224, width=512, **VGG)
    assert tower.output_shape == (None, 14 * 14, 512)
    # The weights of VGG19 without its dense layers.
    assert tower.count_params() == 20_024_384 and not tower.trainable_weights


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(width=8), "width=8, channels=512"),
        (dict(width=512, layer="block9"), "No such layer: block9"),
    ],
)
def test_an_application_rejects_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        image_application.build(32, **{**VGG, **wrong})
