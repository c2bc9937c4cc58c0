"""Show, Attend and Tell: what it sees, what it is taught, what it writes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.generation import BeamSearch
from mbm_keras.inputs import InputSpec
from mbm_keras.models import show_attend_tell
from mbm_keras.models.show_attend_tell import CaptionDecoder
from mbm_keras.tasks import captioning
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs


def tiny(**how):
    keras.utils.set_random_seed(0)
    return show_attend_tell.build(**{**show_attend_tell.PRESETS["tiny"], **how})


@pytest.mark.parametrize(
    ("preset", "count"), [("coco", 35_333_450), ("flickr", 20_927_338)]
)
def test_has_the_published_number_of_parameters(preset, count):
    model = show_attend_tell.build(**show_attend_tell.PRESETS[preset])
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == count


def test_hard_attention_has_the_same_weights():
    shapes = [[w.shape for w in tiny(hard=h).trainable_weights] for h in (0, 1)]
    assert shapes[0] == shapes[1]


def regions_and_caption(places=3, width=4, length=5):
    rng = np.random.default_rng(0)
    regions = rng.standard_normal((2, places, width)).astype("float32")
    caption = rng.integers(3, 9, (2, length)).astype("int32")
    caption[1, 3:] = 0
    return regions, caption


def caption_decoder(**how):
    keras.utils.set_random_seed(1)
    return CaptionDecoder(10, 6, 7, **{"dropout": 0.0, "seed": 2, **how})


def test_the_penalty_wants_every_place_to_be_seen_once():
    layer = caption_decoder(penalty=3.0)
    regions, caption = regions_and_caption()
    _, alpha = layer(regions, caption)
    alpha = numpy(alpha)
    assert_same(alpha.sum(axis=-1), np.ones((2, 5)))
    first = ((1 - alpha[0].sum(axis=0)) ** 2).sum()
    second = ((1 - alpha[1, :3].sum(axis=0)) ** 2).sum()  # three words and no padding
    assert float(layer.losses[0]) == pytest.approx(3.0 * (first + second) / 2, rel=1e-5)


def test_one_step_is_that_of_the_paper():
    layer = caption_decoder()
    regions, caption = regions_and_caption(length=1)
    logits, _ = layer(regions, caption)
    w = {weight.path.split("/", 1)[1]: numpy(weight) for weight in layer.weights}
    kernels = [numpy(weight) for weight in layer.first_h.weights]
    assert kernels[0].shape == (4, 7) and len(w) == len(layer.weights)

    def dense(part, x):
        kernel, *bias = (numpy(v) for v in getattr(layer, part).weights)
        return x @ kernel + (bias[0] if bias else 0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    mean = regions.mean(axis=1)
    h, c = np.tanh(dense("first_h", mean)), np.tanh(dense("first_c", mean))
    kernel, bias = (numpy(v) for v in layer.deep_places[0].weights)
    e = dense("score", np.tanh(regions @ kernel + bias + dense("ask", h)[:, None]))
    alpha = np.exp(e) / np.exp(e).sum(axis=1, keepdims=True)  # (batch, places, 1)
    z = sigmoid(dense("gate", h)) * (alpha * regions).sum(axis=1)
    word = np.zeros((2, 6))  # nothing stands in front of the first word
    gates = dense("from_word", word) + dense("from_state", h) + dense("from_seen", z)
    i, f, o, g = np.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    out = dense("out", np.tanh(dense("out_state", h) + word + dense("out_seen", z)))
    assert_same(numpy(logits)[:, 0], out)


def test_a_word_is_told_from_those_before_it_alone():
    model = tiny()
    x = random_inputs(model)
    other = {**x, "caption": x["caption"].copy()}
    other["caption"][:, 2] = 9
    one, two = (numpy(model(v)["words"]) for v in (x, other))
    assert_same(one[:, :3], two[:, :3])
    assert np.abs(one[:, 3:] - two[:, 3:]).max() > 1e-4


def test_words_are_hidden_while_it_learns_alone():
    regions, caption = regions_and_caption()
    layer = caption_decoder(word_dropout=1.0)
    plain, _ = layer(regions, caption)
    learning, _ = layer(regions, caption, training=True)
    unknown = caption.copy()
    unknown[:, :-1][unknown[:, :-1] > 0] = 1
    assert_same(learning, layer(regions, unknown)[0])
    assert np.abs(numpy(learning) - numpy(plain)).max() > 1e-3


@pytest.mark.parametrize("hard", [False, True])
def test_padding_changes_nothing(hard):
    layer = caption_decoder(hard=hard)
    regions, caption = regions_and_caption()
    longer = np.pad(caption, [[0, 0], [0, 4]])
    seen = []
    for words in (caption, longer):
        logits, _ = layer(regions, words)
        seen.append((numpy(logits)[:, :5], [float(x) for x in layer.losses]))
    assert_same(*seen)


def test_hard_attention_is_taught_by_what_it_earned():
    layer = caption_decoder(hard=True, entropy=0.01)
    regions, caption = regions_and_caption()
    layer(regions, caption)
    layer.baseline.assign(4.0)
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((2, 5, 10)).astype("float32")
    alpha = rng.dirichlet(np.ones(3), (2, 5)).astype("float32")
    used = np.eye(3, dtype="float32")[rng.integers(0, 3, (2, 5))]
    here = (caption > 0).astype("float32")[:, :, None]
    with tf.GradientTape() as tape:
        a = tf.constant(alpha)
        tape.watch(a)
        layer._reinforce(caption, logits, a, used, here)
        loss = layer.losses[-1]
    cost = numpy(captioning.word_losses(caption, logits)).sum(axis=1)
    wanted = (cost - 4.0)[:, None, None] / 10 * used / alpha
    wanted = here * (wanted + 0.01 * (np.log(alpha) + 1)) / 2  # a mean of two rows
    assert_same(tape.gradient(loss, a), wanted, atol=1e-4)
    assert float(layer.baseline) == pytest.approx(0.9 * 4.0 + 0.1 * cost.mean())


def test_hard_attention_looks_at_single_places_for_about_half_of_the_words():
    layer = caption_decoder(hard=True)
    rng = np.random.default_rng(0)
    layer(*regions_and_caption())
    caption = np.ones((400, 9), "int32")
    draws = numpy(layer._draws(caption, True))
    halves = draws[:, :, 1]
    soft = halves[:, 0] == 1
    assert draws.shape == (9, 400, 2) and set(halves.ravel()) <= {0, 1}
    assert (halves == halves[:, :1]).all()
    places = np.tile(rng.standard_normal((1, 3, 4)), (400, 1, 1)).astype("float32")
    h = np.zeros((400, 7), "float32")
    for t in range(9):
        alpha, used = layer._look(h, places, draws[t])
        alpha, used = numpy(alpha), numpy(used)
        if soft[t]:
            assert_same(used, alpha)
        else:
            assert set(used.ravel().tolist()) == {0.0, 1.0}
            np.testing.assert_allclose(used.mean(axis=0), alpha[0], atol=0.1)


@pytest.mark.parametrize("hard", [False, True])
def test_learns_from_batches_of_any_length(hard):
    model = tiny(hard=hard)
    model.compile("adam", captioning.losses())
    image = np.zeros((2, 16, 16, 3), "uint8")

    def batches():
        for length in (4, 7, 1):
            caption = np.full((2, length), 3, "int32")
            yield {"image": image, "caption": caption}, {"words": caption}

    ids = tf.TensorSpec((None, None), tf.int32)
    pixels = tf.TensorSpec((None, 16, 16, 3), tf.uint8)
    told = ({"image": pixels, "caption": ids}, {"words": ids})
    data = tf.data.Dataset.from_generator(batches, output_signature=told)
    assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("how", [dict(), dict(hard=True), dict(state_depth=2)])
def test_learns_captions_and_writes_them(how, tmp_path):
    model = tiny(dropout=0.0, attention_depth=2, **how)
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(0, 256, (6, 2, 2, 3)), 8, axis=1).repeat(8, axis=2)
    caption = rng.integers(3, 12, (6, 5))
    caption[:, 4] = 2  # the end
    caption[::2, 3:] = [2, 0]
    caption = caption.astype("int32")
    x = {"image": image.astype("uint8"), "caption": caption}
    model.compile(
        keras.optimizers.Adam(0.02),
        captioning.losses(),
        metrics=captioning.metrics(),
        jit_compile=False,
    )
    data = tf.data.Dataset.from_tensors((x, {"words": caption})).repeat(60)
    for _ in range(6):
        model.fit(data, epochs=1, verbose=0)
        found = model.evaluate(x, {"words": caption}, verbose=0, return_dict=True)
        if found["accuracy"] == 1:
            break
    assert found["accuracy"] == 1 and found["perplexity"] < 2
    writer = show_attend_tell.captioner(model, 7)
    told = writer.predict({"image": x["image"]}, verbose=0)["words"]
    assert told[:, :5].tolist() == caption.tolist() and not told[:, 5:].any()
    looker = show_attend_tell.attention_model(model)
    seen = looker.predict({**x, "caption": told}, verbose=0)["attention"]
    assert_same(seen.sum(axis=-1), np.ones((6, 7)))
    beams = show_attend_tell.captioner(model, 7, search=BeamSearch(3))
    assert_same(beams.predict(x["image"], verbose=0)["words"], told)
    writer.save(tmp_path / "writer.keras")
    again = keras.saving.load_model(tmp_path / "writer.keras")
    assert_same(again.predict({"image": x["image"]}, verbose=0)["words"], told)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(vocabulary_size=3), "a vocabulary holds padding"),
        (dict(units=0), "Sizes are at least 1"),
        (
            dict(feature=InputSpec("image", "image", dict(size=1))),
            "must be at least",
        ),
        (
            dict(feature=InputSpec("regions", "sequence", dict(size=5))),
            "Regions are looked at as they are",
        ),
    ],
)
def test_says_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=message):
        tiny(**wrong)
