"""CoCa: what [CLS] sees, and how its two losses are joined."""

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.models import coca
from mbm_keras.models.text_decoder import decoder_of
from tests import helpers
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs

TASK = coca.PRESETS["tiny"].arguments["task"]


def tiny(positions=None, **changes):
    blocks = dict(num_blocks=2, num_heads=2, num_unimodal=1, num_positions=positions)
    return helpers.tiny(coca, blocks=blocks, **changes)


@pytest.mark.parametrize("positions", [None, 12])
def test_the_embedding_of_a_text_does_not_depend_on_its_padding(positions):
    encoder = coca.text_encoder(tiny(positions))
    text = np.array([[5, 6, 7, 2], [8, 2, 0, 0]], "int32")
    padded = np.pad(text, ((0, 0), (0, 5)))
    assert_same(encoder(padded), encoder(text))
    assert_same(encoder(padded)[1:], encoder(np.array([[8, 2]], "int32")))


@pytest.mark.parametrize("positions", [None, 12])
def test_the_embedding_depends_on_every_word_and_on_cls(positions):
    model = tiny(positions)
    encoder = coca.text_encoder(model)
    text = np.array([[5, 6, 7, 2]], "int32")
    before = numpy(encoder(text))
    for word in range(3):
        changed = text.copy()
        changed[0, word] = 9
        assert np.abs(numpy(encoder(changed)) - before).max() > 1e-3
    decoder = decoder_of(model)
    decoder.cls.assign(ops.flip(decoder.cls, -1))
    assert np.abs(numpy(encoder(text)) - before).max() > 1e-3


def test_no_word_sees_cls():
    model = tiny()
    x = random_inputs(model)
    before = numpy(model(x))
    decoder = decoder_of(model)
    decoder.cls.assign(ops.flip(decoder.cls, -1))
    assert_same(model(x), before)


def test_embeddings_have_length_one():
    model = tiny()
    x = random_inputs(model)
    for embedding in (
        coca.image_encoder(model)(x["image"]),
        coca.text_encoder(model)(x["words_teacher"]),
    ):
        assert_same(np.linalg.norm(numpy(embedding), axis=-1), np.ones(2))


def contrast(image, text, ids, weight=1.0, training=True):
    layer = coca.AddContrast(weight)
    logits = np.ones((len(image), 2, 3), "float32")
    assert_same(layer(logits, image, text, ids, training=training), logits)
    return [float(x) for x in layer.losses]


def test_the_contrast_is_the_cross_entropy_of_matching_rows():
    rng = np.random.default_rng(0)
    image, text = rng.normal(size=(2, 4, 5)).astype("float32")
    ids = np.arange(4)[:, None]
    (found,) = contrast(image, text, ids, weight=0.5)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text)]
    logits = unit[0] @ unit[1].T / 0.07
    both = [np.log(np.exp(logits).sum(axis)) - np.diag(logits) for axis in (0, 1)]
    assert found == pytest.approx(0.5 * np.mean(both), rel=1e-3)
    assert contrast(image, text, ids, training=False) == []


def test_a_row_with_the_same_text_is_no_example_of_what_does_not_match():
    image = np.eye(3, dtype="float32")
    text = np.stack([image[0], image[0], image[2]])
    (apart,) = contrast(image, text, np.array([[1], [2], [3]]))
    (same,) = contrast(image, text, np.array([[1], [1], [3]]))
    assert same < apart


@pytest.mark.slow
def test_both_losses_teach_the_image_and_the_text():
    keras.utils.set_random_seed(0)
    model = tiny(dropout=0.0)
    rng = np.random.default_rng(0)
    image = np.zeros((8, 16, 16, 3), "uint8")
    for i in range(8):
        image[i, 2 * (i // 4) : 16, 4 * (i % 4) : 4 * (i % 4) + 4] = 255
    text = np.stack([rng.permutation(np.arange(3, 9)) for _ in range(8)])
    text[:, -1] = 2
    x, y = TASK.feed({"image": image}, {"words": text.astype("int32")})
    model.compile(keras.optimizers.Adam(0.01), TASK.loss())
    model.fit(x, y, epochs=250, batch_size=8, verbose=0)
    images = numpy(coca.image_encoder(model)(image))
    texts = numpy(coca.text_encoder(model)(y["words"]))
    assert (np.argmax(images @ texts.T, axis=1) == np.arange(8)).mean() > 0.7


@pytest.mark.parametrize(
    "changes",
    [dict(num_queries=0), dict(blocks=dict(num_blocks=1)), dict(losses={"caption": 0})],
)
def test_sizes_out_of_range_are_an_error(changes):
    with pytest.raises(ValueError, match="^Expected "):
        helpers.tiny(coca, **changes)
