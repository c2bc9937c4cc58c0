"""Show, Attend and Tell: its attention, its losses, and the captions it writes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.generation import BeamSearch
from mbm_keras.inputs import InputSpec
from mbm_keras.models import for_inference
from mbm_keras.models import show_attend_tell
from mbm_keras.models.show_attend_tell import Attention
from mbm_keras.models.show_attend_tell import CaptionDecoder
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks.captioning import word_losses
from tests import helpers
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs

TASK = show_attend_tell.PRESETS["tiny"].arguments["task"]


def tiny(**changes):
    return helpers.tiny(show_attend_tell, **changes)


def test_hard_and_soft_attention_have_the_same_weights():
    soft, hard = (
        [w.shape for w in tiny(attention=Attention(hard=hard)).trainable_weights]
        for hard in (False, True)
    )
    assert soft == hard


def test_attention_is_plain_data_in_a_plan():
    models = [tiny(attention=x) for x in ({"depth": 2}, Attention(depth=2))]
    assert_same(*(model.get_weights() for model in models))


def regions_and_caption(length=5):
    rng = np.random.default_rng(0)
    regions = rng.standard_normal((2, 3, 4)).astype("float32")
    caption = rng.integers(3, 9, (2, length)).astype("int32")
    caption[1, 3:] = 0
    return regions, caption


def caption_decoder(word_dropout=0.0, dropout=0.0, **attention):
    keras.utils.set_random_seed(1)
    return CaptionDecoder(
        10,
        6,
        7,
        attention=Attention(**attention),
        dropout=dropout,
        word_dropout=word_dropout,
        seed=2,
    )


def test_the_penalty_is_zero_for_equal_attention_to_every_region():
    layer = caption_decoder(penalty=3.0)
    regions, caption = regions_and_caption()
    _, alpha = layer(regions, caption)
    alpha = numpy(alpha)
    assert_same(alpha.sum(axis=-1), np.ones((2, 5)))
    first = ((1 - alpha[0].sum(axis=0)) ** 2).sum()
    second = ((1 - alpha[1, :3].sum(axis=0)) ** 2).sum()  # three words and no padding
    assert float(layer.losses[0]) == pytest.approx(3.0 * (first + second) / 2, rel=1e-5)


def test_one_step_has_the_equations_of_the_paper():
    layer = caption_decoder()
    regions, caption = regions_and_caption(length=1)
    logits, _ = layer(regions, caption)
    w = {weight.path.split("/", 1)[1]: numpy(weight) for weight in layer.weights}
    kernels = [numpy(weight) for weight in layer.initial_h.weights]
    assert kernels[0].shape == (4, 7) and len(w) == len(layer.weights)

    def dense(part, x):
        kernel, *bias = (numpy(v) for v in getattr(layer, part).weights)
        return x @ kernel + (bias[0] if bias else 0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    mean = regions.mean(axis=1)
    h, c = np.tanh(dense("initial_h", mean)), np.tanh(dense("initial_c", mean))
    kernel, bias = (numpy(v) for v in layer.region_layers[0].weights)
    e = dense("score", np.tanh(regions @ kernel + bias + dense("query", h)[:, None]))
    alpha = np.exp(e) / np.exp(e).sum(axis=1, keepdims=True)  # (batch, regions, 1)
    z = sigmoid(dense("gate", h)) * (alpha * regions).sum(axis=1)
    word = np.zeros((2, 6))  # there is no word before the first
    gates = dense("lstm_word", word) + dense("lstm_state", h) + dense("lstm_context", z)
    i, f, o, g = np.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    out = dense(
        "output_words",
        np.tanh(dense("output_state", h) + word + dense("output_context", z)),
    )
    assert_same(numpy(logits)[:, 0], out)


def test_a_word_depends_on_the_words_before_it_alone():
    model = tiny()
    x = random_inputs(model)
    other = {**x, "words_teacher": x["words_teacher"].copy()}
    other["words_teacher"][:, 2] = 9
    one, two = (numpy(model(v)["words"]) for v in (x, other))
    assert_same(one[:, :3], two[:, :3])
    assert np.abs(one[:, 3:] - two[:, 3:]).max() > 1e-4


def test_words_are_hidden_in_training_only():
    regions, caption = regions_and_caption()
    layer = caption_decoder(word_dropout=1.0)
    plain, _ = layer(regions, caption)
    training, _ = layer(regions, caption, training=True)
    unknown = caption.copy()
    unknown[:, :-1][unknown[:, :-1] > 0] = 1
    assert_same(training, layer(regions, unknown)[0])
    assert np.abs(numpy(training) - numpy(plain)).max() > 1e-3


@pytest.mark.parametrize("hard", [False, True])
def test_padding_does_not_change_logits_or_losses(hard):
    layer = caption_decoder(hard=hard)
    regions, caption = regions_and_caption()
    longer = np.pad(caption, [[0, 0], [0, 4]])
    seen = []
    for words in (caption, longer):
        logits, _ = layer(regions, words)
        seen.append((numpy(logits)[:, :5], [float(x) for x in layer.losses]))
    assert_same(*seen)


def test_hard_attention_has_the_gradient_of_the_paper():
    layer = caption_decoder(hard=True, entropy=0.01)
    regions, caption = regions_and_caption()
    layer(regions, caption)
    layer.baseline.assign(4.0)
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((2, 5, 10)).astype("float32")
    alpha = rng.dirichlet(np.ones(3), (2, 5)).astype("float32")
    used = np.eye(3, dtype="float32")[rng.integers(0, 3, (2, 5))]
    valid = (caption > 0).astype("float32")[:, :, None]
    with tf.GradientTape() as tape:
        a = tf.constant(alpha)
        tape.watch(a)
        layer._add_hard_loss(caption, logits, a, used, valid)
        loss = layer.losses[-1]
    cost, num_words = numpy(word_losses(caption, logits)), valid.sum(axis=(1, 2))
    mean_cost = cost.sum(axis=1) / num_words  # of the words of each caption
    wanted = (mean_cost - 4.0)[:, None, None] / 10 * used / alpha
    wanted = valid * (wanted + 0.01 * (np.log(alpha) + 1))  # a sum of two rows
    assert_same(tape.gradient(loss, a), wanted, atol=1e-4)
    mean_of_words = cost.sum() / num_words.sum()
    assert float(layer.baseline) == pytest.approx(0.9 * 4.0 + 0.1 * mean_of_words)


def sample_as(soft):
    """Random numbers in place of `_sample`, for hard or for soft attention."""

    def sample(caption, training):
        batch, length = caption.shape
        uniform = np.random.default_rng(0).random((length, batch))
        return np.stack([uniform, np.full_like(uniform, soft)], -1).astype("float32")

    return sample


def gradient_of_attention(hard, soft=None):
    """The gradient of the cross-entropy for the weights that score regions."""
    layer = caption_decoder(hard=hard, entropy=0.0, penalty=0.0)
    regions, caption = regions_and_caption()
    layer(regions, caption)
    if soft is not None:
        layer._sample = sample_as(soft)
    with tf.GradientTape() as tape:
        logits, _ = layer(regions, caption, training=True)
        loss = tf.reduce_sum(word_losses(caption, logits))  # without the reward
    return numpy(tape.gradient(loss, layer.score.kernel))


def test_hard_attention_learns_from_the_expectation_as_soft_attention_does():
    soft = gradient_of_attention(hard=False)
    assert np.abs(soft).max() > 1e-4
    assert_same(gradient_of_attention(hard=True, soft=1.0), soft, atol=1e-7)


def test_hard_attention_has_no_gradient_through_a_sample():
    layer = caption_decoder(hard=True)
    layer(*regions_and_caption())
    keys = tf.constant(np.random.default_rng(0).standard_normal((2, 3, 4)), "float32")
    sample = sample_as(0.0)(np.ones((2, 1)), True)[0]
    with tf.GradientTape() as tape:
        tape.watch(keys)
        _, used = layer._attend(tf.zeros((2, 7)), keys, sample)
        loss = tf.reduce_sum(used[:, 0])
    assert not numpy(tape.gradient(loss, keys)).any()


def test_hard_attention_samples_in_some_batches_and_is_soft_in_others():
    layer = caption_decoder(hard=True)
    rng = np.random.default_rng(0)
    layer(*regions_and_caption())
    caption = np.ones((400, 2), "int32")
    keys = np.tile(rng.standard_normal((1, 3, 4)), (400, 1, 1)).astype("float32")
    h, seen = np.zeros((400, 7), "float32"), set()
    for _ in range(9):
        samples = numpy(layer._sample(caption, True))
        assert samples.shape == (2, 400, 2)
        (soft,) = set(samples[:, :, 1].ravel().tolist())  # one for the batch
        seen.add(soft)
        alpha, used = (numpy(x) for x in layer._attend(h, keys, samples[0]))
        if soft:
            assert_same(used, alpha)
        else:
            assert set(used.ravel().tolist()) == {0.0, 1.0}
            np.testing.assert_allclose(used.mean(axis=0), alpha[0], atol=0.1)
    assert seen == {0.0, 1.0}


def pick_in_order(rows, rng):
    """Four regions in any order, each with its number and a word, and their words.

    The caption has the word of region 0, then that of region 1, and so on: every word
    needs another region.
    """
    words = rng.integers(3, 9, (rows, 4))
    regions = np.zeros((rows, 4, 4 + 9), "float32")
    order = np.argsort(rng.random((rows, 4)), axis=1)
    for number in range(4):
        cells = np.arange(rows), order[:, number]
        regions[*cells, number] = 1
        regions[*cells, 4 + words[:, number]] = 1
    caption = np.pad(words, [[0, 0], [0, 1]], constant_values=2)
    return {"regions": regions}, {"words": caption.astype("int32")}


@pytest.mark.slow
def test_hard_attention_learns_which_region_every_word_needs():
    keras.utils.set_random_seed(0)
    task = Captioning(9, 5)
    model = tiny(
        inputs=[InputSpec("regions", "sequence", dict(size=13))],
        task=task,
        width=13,
        word_width=16,
        units=32,
        dropout=0.0,
        seed=0,
        attention=Attention(hard=True),
    )
    model.compile(
        keras.optimizers.Adam(0.01, global_clipnorm=5.0),
        {"words": task.loss()},
        metrics={"words": task.metrics()},
        jit_compile=False,
    )
    x, y = task.feed(*pick_in_order(64 * 300, np.random.default_rng(0)))
    model.fit(x, y, batch_size=64, verbose=0)
    batch = task.feed(*pick_in_order(256, np.random.default_rng(1)))
    figures = model.evaluate(*batch, verbose=0, return_dict=True)
    assert figures["accuracy"] > 0.99


def test_dropout_hides_the_output_of_the_lstm_from_the_words():
    layer = caption_decoder(dropout=1.0 - 1e-6)
    regions, caption = regions_and_caption()
    logits, _ = layer(regions, caption, training=True)
    assert_same(logits, np.broadcast_to(numpy(layer.output_words.bias), logits.shape))


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True])
def test_trains_on_batches_of_any_length(hard):
    model = tiny(attention=Attention(hard=hard))
    model.compile("adam", {"words": TASK.loss()})
    image = np.zeros((2, 16, 16, 3), "uint8")

    def batches():
        for length in (4, 7, 1):
            caption = np.full((2, length), 3, "int32")
            yield {"image": image}, {"words": caption}

    ids = tf.TensorSpec((None, None), tf.int32)
    pixels = tf.TensorSpec((None, 16, 16, 3), tf.uint8)
    spec = ({"image": pixels}, {"words": ids})
    data = tf.data.Dataset.from_generator(batches, output_signature=spec).map(TASK.feed)
    assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()


@pytest.fixture(scope="module", params=[dict(), dict(hard=True), dict(state_depth=2)])
def overfitted(request):
    """A model that knows six captions by heart, the images, and the captions."""
    attention = Attention(2, hard=request.param.get("hard", False))
    state_depth = request.param.get("state_depth", 1)
    model = tiny(dropout=0.0, attention=attention, state_depth=state_depth)
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(0, 256, (6, 2, 2, 3)), 8, axis=1).repeat(8, axis=2)
    caption = rng.integers(3, 12, (6, 5))
    caption[:, 4] = 2  # the end
    caption[::2, 3:] = [2, 0]
    caption, image = caption.astype("int32"), image.astype("uint8")
    model.compile(
        keras.optimizers.Adam(0.01),
        {"words": TASK.loss()},
        metrics={"words": TASK.metrics()},
        jit_compile=False,
    )
    batch = TASK.feed({"image": image}, {"words": caption})
    data = tf.data.Dataset.from_tensors(batch).repeat(60)
    for _ in range(12):
        model.fit(data, epochs=1, verbose=0)
        figures = model.evaluate(*batch, verbose=0, return_dict=True)
        if figures["accuracy"] == 1:
            break
    assert figures["accuracy"] == 1 and figures["perplexity"] < 2
    return model, image, caption


@pytest.mark.slow
def test_the_captioner_writes_the_captions(overfitted):
    model, image, caption = overfitted
    writer = show_attend_tell.captioner(model, TASK)
    written = writer.predict({"image": image}, verbose=0)["words"]
    assert written.shape == (6, TASK.sequence_length)
    assert written[:, :5].tolist() == caption.tolist() and not written[:, 5:].any()


def test_beam_search_writes_the_same_captions(overfitted):
    model, image, caption = overfitted
    writer = show_attend_tell.captioner(model, TASK, search=BeamSearch(3))
    written = writer.predict(image, verbose=0)["words"]
    assert written[:, :5].tolist() == caption.tolist()


def test_attention_to_a_written_caption_has_sum_one(overfitted):
    model, image, caption = overfitted
    looks = show_attend_tell.attention_model(model)
    alpha = looks.predict({"image": image, "words_teacher": caption}, verbose=0)
    assert_same(alpha["attention"].sum(axis=-1), np.ones((6, 5)))


def test_the_captioner_is_saved_and_loaded(overfitted, tmp_path):
    model, image, _ = overfitted
    writer = for_inference("show_attend_tell", model, TASK)
    writer.save(tmp_path / "captioner.keras")
    loaded = keras.saving.load_model(tmp_path / "captioner.keras")
    left, right = (x.predict({"image": image}, verbose=0) for x in (writer, loaded))
    assert_same(left["words"], right["words"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(task=Captioning(3, 6)), "Expected vocabulary_size >= 4"),
        (dict(task=Classification(3)), "a task Captioning. Received: .*num_classes=3"),
        (dict(inputs=[]), "Expected one input of a modality"),
        (dict(inputs=[InputSpec("a", "audio")]), "modalities=.'audio'"),
        (dict(units=0), "Expected sizes >= 1. Received: .*units=0"),
        (
            dict(inputs=[InputSpec("image", "image", dict(size=1))]),
            "Expected a `size` of at least",
        ),
        (
            dict(inputs=[InputSpec("regions", "sequence", dict(size=5))]),
            "Expected width == size",
        ),
    ],
)
def test_rejects_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(**arguments)


def test_rejects_attention_without_layers():
    with pytest.raises(ValueError, match="Expected depth >= 1"):
        Attention(0)
