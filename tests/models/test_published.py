"""Published models: what their papers say about them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.layers import present_mean
from mbm_keras.models import film
from mbm_keras.models import mbt
from mbm_keras.models import mcan
from mbm_keras.models import mult
from mbm_keras.models import mvae
from mbm_keras.models import perceiver_io
from mbm_keras.models import vqa_baseline
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny

fusing = pytest.mark.parametrize("module", [mult, mbt, mcan, perceiver_io, film])


def test_most_weights_of_film_make_gamma_and_beta():
    with keras.StatelessScope(initialize_variables=False):
        model = film.build(**film.PRESETS["clevr"].arguments)
    generator = [model.get_layer("question_tower"), model.get_layer("film")]
    assert sum(layer.count_params() for layer in generator) == 57_027_752
    keras.utils.clear_session()


@fusing
def test_padding_of_a_text_does_not_matter(module):
    model = shared_tiny(module)
    x = random_inputs(model)
    x["text"] = np.array([[3, 4, 5], [6, 7, 0]])
    padded = np.pad(x["text"], [[0, 0], [0, 4]])
    assert_same(model(x), model({**x, "text": padded}))


@fusing
def test_every_input_matters_for_every_other(module):
    """A fusion is not a sum of functions of single inputs."""
    model = shared_tiny(module)
    x, other = random_inputs(model, seed=0), random_inputs(model, seed=1)

    def logits(text, image):
        given = {**x, "text": text["text"], "image": image["image"]}
        return numpy(model(given))["label"]

    together = logits(x, x) - logits(other, x) - logits(x, other) + logits(other, other)
    assert np.abs(together).max() > 1e-5


def test_mult_takes_sequences_of_unequal_length():
    inputs = [
        InputSpec(name, "sequence", dict(size=size))
        for name, size in (("words", 7), ("sound", 5))
    ]
    model = tiny(mult, inputs=inputs)
    rng = np.random.default_rng(0)
    x = {
        "words": rng.standard_normal((2, 6, 7)).astype("float32"),
        "sound": rng.standard_normal((2, 31, 5)).astype("float32"),
        "present": np.ones((2, 2), bool),
    }
    longer = {**x, "sound": np.pad(x["sound"], [[0, 0], [0, 9], [0, 0]])}
    assert_same(model(x), model(longer))


@pytest.mark.parametrize("width", [6, 7])
def test_positions_of_mult_are_sines_then_cosines_from_one(width):
    x = np.ones((1, 3, width), "float32")
    angle = np.arange(1, 4)[:, None] * 10_000.0 ** -np.array([0, 0.5, 1])
    code = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    code = np.pad(code, [[0, 0], [0, width - 6]])
    assert_same(mult.ScaleAndPosition()(x)[0], width**0.5 + code)


def test_the_memory_of_mult_is_scaled_and_has_positions_too():
    model = shared_tiny(mult)
    layers = [x for x in model.layers if isinstance(x, mult.ScaleAndPosition)]
    widths = [layer.output.shape[-1] for layer in layers]
    assert sorted(widths) == [8, 8, 8, 16, 16, 16]


def test_the_norm_of_mcan_has_an_unbiased_deviation():
    x = np.array([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]], "float32")
    expected = (x - x.mean(1, keepdims=True)) / (x.std(1, ddof=1, keepdims=True) + 1e-6)
    assert_same(mcan.UnbiasedNorm()(x), expected)


def test_the_norm_of_mcan_has_a_finite_gradient_for_equal_numbers():
    x = tf.ones((1, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = mcan.UnbiasedNorm()(x)[0, 0]
    assert np.isfinite(numpy(tape.gradient(y, x))).all()


def test_small_latents_of_the_perceiver_are_normalized():
    model = tiny(perceiver_io)
    latents = model.get_layer("latents").kernel
    normalized = numpy(model.get_layer("read").norm(latents))
    assert numpy(latents).std() < 0.05 and 0.9 < normalized.std() < 1.1


def test_positions_of_the_perceiver_end_with_a_row():
    layer = perceiver_io.PositionAndModality(1, 0)
    x = np.zeros((2, 5, 1), "float32")
    mask = np.array([[True] * 5, [True, True, True, False, False]])
    p = numpy(layer(x, mask=mask))[:, :, -1]
    assert_same(p, np.array([[-1, -0.5, 0, 0.5, 1], [-1, 0, 1, 1, 1]]))


def test_the_last_step_is_the_last_valid_one():
    x = np.arange(12.0).reshape(2, 3, 2)
    valid = np.array([[True, True, False], [False, False, False]])
    assert_same(mult.LastStep()(x, valid), np.array([[2.0, 3.0], [6.0, 7.0]]))


def tokens_of_the_image(model, x):
    """What `mbt` pools, of the image: after five words, before the sound."""
    inner = keras.Model(model.inputs, model.get_layer("norm").output)
    num_tokens = (16 // 8) ** 2
    return numpy(inner(x))[:, 5 : 5 + num_tokens]


def test_inputs_of_mbt_exchange_the_bottleneck_only():
    model = shared_tiny(mbt)
    x, other = random_inputs(model, seed=0), random_inputs(model, seed=1)
    changed = {**x, "text": other["text"]}
    # The text reaches the image in the second fusion block, not in the first.
    image, other_text = (tokens_of_the_image(model, v) for v in (x, changed))
    assert np.abs(image - other_text).max() > 1e-6
    first = tiny(mbt, num_fusion_blocks=1)
    assert_same(*(tokens_of_the_image(first, v) for v in (x, changed)))


def test_mbt_averages_over_all_tokens_that_are_present():
    model = shared_tiny(mbt)
    x = random_inputs(model)
    x["text"] = np.array([[3, 4, 5, 6, 7], [6, 7, 0, 0, 0]])
    x["present"][1, 2] = False  # no sound
    norm, head = model.get_layer("norm").output, model.get_layer("label")
    tokens = numpy(keras.Model(model.inputs, norm)(x))
    kernel, bias = head.get_weights()
    second = tokens[1, [0, 1, 5, 6, 7, 8]]  # two words, four squares
    expected = np.stack([tokens[0].mean(0), second.mean(0)]) @ kernel + bias
    assert_same(model(x)["label"], expected)


def test_film_without_modulation_ignores_the_question():
    model = tiny(film)
    x, other = random_inputs(model, seed=0), random_inputs(model, seed=1)
    changed = {**x, "text": other["text"], "audio": other["audio"]}
    assert np.abs(numpy(model(x)["label"] - model(changed)["label"])).max() > 1e-6
    layer = model.get_layer("film")
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    assert_same(model(x), model(changed))


def test_coordinates_go_from_corner_to_corner():
    y = numpy(film.WithCoordinates()(np.zeros((1, 3, 2, 1), "float32")))
    np.testing.assert_allclose(y[0, :, 0, 1], [-1, 0, 1])
    np.testing.assert_allclose(y[0, 0, :, 2], [-1, 1])


def test_film_can_modulate_a_sound():
    model = tiny(film, modulated="audio")
    assert model(random_inputs(model))["label"].shape == (2, 3)


def test_mcan_takes_the_question_in_any_position():
    inputs = mcan.PRESETS["tiny"].arguments["inputs"][:2]
    model = tiny(mcan, inputs=inputs, width=4)
    x = random_inputs(model)
    turned = tiny(mcan, inputs=inputs[::-1], width=4)
    assert [t.name for t in turned.inputs] == ["image", "text", "present"]
    by_shape = sorted(tuple(w.shape) for w in turned.weights)
    assert by_shape == sorted(tuple(w.shape) for w in model.weights)
    assert turned(x)["label"].shape == (2, 3)


def test_attention_of_the_perceiver_against_numpy():
    keras.utils.set_random_seed(0)
    layer = perceiver_io.Attention(2, 3, crosses=True)
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((2, 4, 5)), rng.standard_normal((2, 6, 7))
    valid = np.array([[True] * 6, [True, True, False, False, False, False]])
    got = numpy(layer(x.astype("f4"), c.astype("f4"), valid))

    def norm(t):
        return (t - t.mean(-1, keepdims=True)) / np.sqrt(
            t.var(-1, keepdims=True) + 1e-5
        )

    q = norm(x) @ numpy(layer.query.kernel)
    k, v = np.split(norm(c) @ numpy(layer.key_value.kernel), 2, axis=-1)
    heads = []
    for h in (slice(0, 3), slice(3, 6)):
        score = q[..., h] @ k[..., h].transpose(0, 2, 1) / 3**0.5
        score = np.where(valid[:, None], score, -np.inf)
        share = np.exp(score - score.max(-1, keepdims=True))
        heads.append(share / share.sum(-1, keepdims=True) @ v[..., h])
    expected = np.concatenate(heads, -1) @ numpy(layer.out.kernel)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_losses_of_the_mvae_against_numpy():
    rng = np.random.default_rng(0)
    mean, variance = rng.standard_normal((3, 4)), rng.random((3, 4)) + 0.1
    valid = np.array([True, False, True])
    layer = mvae.Divergence(2.0)
    layer(mean.astype("f4"), variance.astype("f4"), valid)
    each = (mean**2 + variance - 1 - np.log(variance)).sum(1) / 2
    assert_same(layer.losses[0], 2.0 * each[valid].mean(), atol=1e-4)

    pixels = rng.integers(0, 256, (3, 2, 2, 3)).astype("uint8")
    logits = rng.standard_normal((3, 2, 2, 3))
    layer = mvae.Reconstruction("image", 1.0)
    layer(logits.astype("f4"), pixels, valid)
    p, x = 1 / (1 + np.exp(-logits)), pixels / 255
    each = -(x * np.log(p) + (1 - x) * np.log(1 - p)).mean((1, 2, 3))
    assert_same(layer.losses[0], each[valid].mean(), atol=1e-4)

    words = np.array([[1, 2, 0], [1, 1, 1], [3, 0, 0]], "int32")
    logits = rng.standard_normal((3, 5))
    layer = mvae.Reconstruction("text", 1.0)
    layer(logits.astype("f4"), words, valid)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    first, last = -(log_p[0, 1] + log_p[0, 2]) / 2, -log_p[2, 3]
    assert_same(layer.losses[0], (first + last) / 2, atol=1e-4)

    sound, made = rng.standard_normal((2, 3, 4, 2))
    sound[1] = np.nan
    layer = mvae.Reconstruction("audio", 1.0)
    layer(made.astype("f4"), sound.astype("f4"), valid)
    each = ((sound - made) ** 2).mean((1, 2)) / 2
    assert_same(layer.losses[0], each[valid].mean(), atol=1e-4)


@pytest.mark.slow
def test_the_mvae_reconstructs_an_absent_image(eagerly):
    inputs = [
        InputSpec("image", "image", dict(size=8)),
        InputSpec("vector", "vector", dict(size=3)),
    ]
    task, elbo = Classification(2), mvae.Elbo(weight=1.0)
    model = tiny(mvae, inputs=inputs, task=task, units=16, elbo=elbo)
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 64)
    image = (
        np.zeros((64, 8, 8, 3), "uint8") + np.where(kind, 230, 20)[:, None, None, None]
    )
    vector = np.where(kind[:, None], [1.0, -1.0, 2.0], [-1.0, 1.0, 0.0])
    x = {
        "image": image,
        "vector": vector.astype("float32"),
        "present": rng.random((64, 2)) < 0.8,
    }
    x["present"][~x["present"].any(1)] = True
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, {"label": task.loss()}, jit_compile=False)
    model.fit(x, {"label": kind}, epochs=60, verbose=0)
    # The image from the vector only.
    asked = {**x, "present": np.tile([False, True], (64, 1))}
    latent = keras.Model(model.inputs, model.get_layer("posterior_mean").output)(asked)
    made = numpy(mvae.generator(model)(latent))
    assert made["image"].shape == (64, 8, 8, 3) and made["vector"].shape == (64, 3)
    bright = made["image"].mean((1, 2, 3))
    assert bright[kind == 1].min() > 150 and bright[kind == 0].max() < 100


def test_a_bottleneck_mean_is_over_the_present():
    x = [np.full((2, 3), value, "float32") for value in (1.0, 4.0)]
    present = ops.convert_to_tensor([[True, False], [True, True]])
    assert_same(present_mean(x, present), np.array([[1.0] * 3, [2.5] * 3]))


def test_vqa_baseline_multiplies_all_states_of_the_last_word_and_a_unit_image():
    inputs = [
        InputSpec("text", "text", dict(vocabulary_size=9)),
        InputSpec("image", "vector", dict(size=4)),
    ]
    model = vqa_baseline.build(
        inputs=inputs, task=Classification(3), word_width=5, rnn_units=2, width=6,
        hidden_units=(7,), presence=False,
    )  # fmt: skip
    for variable in model.trainable_variables:  # zeros would hide much
        variable.assign(keras.random.normal(variable.shape, seed=len(variable.path)))
    text, image = np.array([[3, 4, 0], [5, 6, 7]]), np.array([[3.0, 0, 0, 4]] * 2)
    found = numpy(model({"text": text, "image": image}))["label"]

    words, *weights = (numpy(v) for v in model.get_layer("text_tower").weights)
    rest = [numpy(v) for v in model.weights[1 + len(weights) :]]
    for row, steps in enumerate(([3, 4], [5, 6, 7])):
        xs, states = np.tanh(words[steps]), []
        for kernel, recurrent, bias in (weights[:3], weights[3:]):
            h = c = np.zeros(2)
            hs = []
            for x in xs:
                i, f, new, o = np.split(x @ kernel + h @ recurrent + bias, 4)
                c = c * _sigmoid(f) + _sigmoid(i) * np.tanh(new)
                h = _sigmoid(o) * np.tanh(c)
                hs.append(h)
            xs, states = hs, [*states, c, h]
        q = np.tanh(np.concatenate(states) @ rest[0] + rest[1])
        v = np.tanh(image[row] / 5 @ rest[2] + rest[3])
        hidden = np.tanh((q * v) @ rest[4] + rest[5])
        np.testing.assert_allclose(found[row], hidden @ rest[6] + rest[7], atol=1e-5)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
