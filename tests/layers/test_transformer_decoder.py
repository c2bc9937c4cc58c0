"""A text at once and word after word: the same logits, whatever is padded or cached."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mbm_keras.generation import BeamSearch
from mbm_keras.generation import Decoder
from mbm_keras.generation import GreedySearch
from mbm_keras.generation import Sampling
from mbm_keras.generation import SequenceGenerator
from mbm_keras.layers import CachedDecoder
from mbm_keras.layers import DecoderSizes
from mbm_keras.layers import TransformerDecoder
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import on_jax

SIZE, WIDTH, LENGTH, STEPS = 12, 16, 9, 4
MEMORIES = [None, "prefix", "cross"]
every_memory = pytest.mark.parametrize("memory", MEMORIES)
every_position = pytest.mark.parametrize("num_positions", [None, 16])


def make(memory=None, dtype=None, **sizes):
    """A decoder with random weights, and the arguments of a call of three rows."""
    rng = np.random.default_rng(0)
    sizes = DecoderSizes(**{"num_blocks": 2, "num_kv_heads": 2, **sizes})
    decoder = TransformerDecoder(SIZE, WIDTH, sizes, memory, dtype=dtype)
    decoder.build()
    for weight in decoder.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    text = rng.integers(1, SIZE, (3, LENGTH)).astype("int32")
    if memory is None:
        return decoder, text, ()
    vectors = rng.normal(0, 1, (3, 5, WIDTH)).astype("float32")
    return decoder, text, (vectors, np.arange(5) < np.array([[5], [3], [4]]))


def word_by_word(decoder, text, lengths, side, context=()):
    """Logits of three rows, from prompts of unequal length, one step at a time."""
    prompt = np.zeros((3, max(lengths)), "int32")
    for row, n in enumerate(lengths):
        where = slice(0, n) if side == "right" else slice(max(lengths) - n, None)
        prompt[row, where] = text[row, :n]
    state, seen = decoder.begin(prompt, *context, cache_size=max(lengths) + STEPS)
    tokens, found = np.zeros(3, "int32"), []
    for t in range(STEPS):
        logits, state = decoder.step(tokens, state, seen)
        found.append(logits)
        tokens = np.array([text[row, n + t] for row, n in enumerate(lengths)], "int32")
    return ops.stack(found, axis=1)


def check_cache(memory, num_positions, side, compiled=lambda function: function):
    decoder, text, context = make(memory, num_positions=num_positions)
    lengths = (4, 2, 3)

    def both():
        full = decoder(text, *context)
        return full, word_by_word(decoder, text, lengths, side, context)

    full, cached = map(numpy, compiled(both)())
    right = np.stack([full[i, n - 1 : n - 1 + STEPS] for i, n in enumerate(lengths)])
    np.testing.assert_allclose(cached, right, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@every_position
@every_memory
def test_the_cache_gives_what_the_whole_text_gives(memory, num_positions, side):
    check_cache(memory, num_positions, side)


@pytest.mark.slow
def test_the_cache_gives_what_the_whole_text_gives_on_jax():
    pytest.importorskip("jax")
    on_jax(
        """
import jax, keras
from tests.layers import test_transformer_decoder as this
assert keras.backend.backend() == "jax"
this.check_cache("prefix", 16, "left", jax.jit)
this.check_cache("cross", None, "right", jax.jit)
this.check_greedy_in_a_loop(True)
"""
    )


@every_position
@every_memory
def test_a_word_depends_on_no_later_word_and_no_padding(memory, num_positions):
    decoder, text, context = make(memory, num_positions=num_positions)
    full = numpy(decoder(text, *context))
    changed = text.copy()
    changed[:, 5:] = 1 + changed[:, 5:] % (SIZE - 1)
    assert_same(numpy(decoder(changed, *context))[:, :5], full[:, :5])
    padded = np.pad(text, ((0, 0), (3, 2)))
    assert_same(numpy(decoder(padded, *context))[:, 3:-2], full)


@pytest.mark.parametrize("memory", ["prefix", "cross"])
def test_padding_of_the_memory_has_no_effect(memory):
    decoder, text, (vectors, valid) = make(memory)
    full = numpy(decoder(text, vectors, valid))
    other = np.where(valid[..., None], vectors, 7.0)
    assert_same(decoder(text, other, valid), full)
    assert not np.allclose(numpy(decoder(text, other, valid | True)), full, atol=1e-3)


def test_the_steps_of_a_prefix_see_each_other_and_no_word():
    decoder, text, (vectors, valid) = make("prefix", num_blocks=1)
    x, mask, angles = decoder._arrange(text, vectors, valid, False)
    seen = numpy(decoder.blocks[0](x, mask, angles)[0])
    changed = vectors.copy()
    changed[0, 4] *= -1  # a constant would be lost in the normalization
    x, mask, angles = decoder._arrange(1 + text % 9, changed, valid, False)
    other = numpy(decoder.blocks[0](x, mask, angles)[0])
    assert np.abs(other - seen)[0, :4].max(axis=-1).min() > 1e-3
    assert_same(other[1:, :5], seen[1:, :5])


def test_a_text_without_a_prompt_begins_after_the_start():
    decoder, _, _ = make()
    empty = decoder.begin(np.zeros((3, 0), "int32"), cache_size=4)
    padding = decoder.begin(np.zeros((3, 2), "int32"), cache_size=4)
    start = decoder.begin(np.full((3, 1), 2, "int32"), cache_size=4)
    zero = np.zeros(3, "int32")
    right = decoder.step(zero, *start)[0]
    assert_same(decoder.step(zero, *empty)[0], right)
    assert_same(decoder.step(zero, *padding)[0], right)


def slow_greedy(decoder, row, steps, *context):
    """One row without a cache: the whole text for every word."""
    text = list(row[row > 0])
    for _ in range(steps):
        logits = numpy(decoder(np.array([text], "int32"), *context))
        logits[0, -1, :3] = -np.inf
        text.append(int(logits[0, -1].argmax()))
    return text[-steps:]


def check_greedy_in_a_loop(jit):
    decoder, text, _ = make(num_positions=16)
    prompt = np.where(np.arange(4) < np.array([[4], [2], [3]]), text[:, :4], 0)
    model_input = keras.Input((4,), dtype="int32")
    write = SequenceGenerator(CachedDecoder(decoder, 10), 6, end=2, exclude=(0, 1, 2))
    model = keras.Model(model_input, write(model_input))
    model.compile(jit_compile=jit)
    words = model.predict(prompt, verbose=0)
    for row in range(3):
        assert words[row].tolist() == slow_greedy(decoder, prompt[row], 6)


@pytest.mark.parametrize("jit", [False, True])
def test_greedy_search_writes_what_it_writes_without_a_cache(jit):
    check_greedy_in_a_loop(jit)


@every_memory
def test_beams_are_reordered_with_their_cache(memory):
    decoder, text, context = make(memory)
    begun = decoder.begin(text[:, :2], *context, cache_size=7)
    limits = dict(max_length=5, end=2, exclude=(0, 1))
    found = BeamSearch(4).candidates(decoder.step, *begun, **limits)
    tokens, scores = numpy(found[0]), numpy(found[1])
    for row in range(3):
        for words, score in zip(tokens[row], scores[row], strict=True):
            whole = np.concatenate([text[row, :2], words])[None]
            one_row = [x[row : row + 1] for x in context]
            logits = numpy(decoder(whole, *one_row))[0, 1:-1].astype("float64")
            logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
            log_p = sum(logits[t, word] for t, word in enumerate(words) if word)
            assert abs(log_p - score) < 1e-4


def test_every_search_takes_the_decoder():
    decoder, text, _ = make()
    cached = CachedDecoder(decoder, 8)
    assert isinstance(cached, Decoder)
    for search in (GreedySearch(), BeamSearch(2), Sampling(top_k=3)):
        begun = cached.begin(text[:, :2])
        limits = dict(max_length=3, end=2, exclude=(0, 1), seed=0)
        words = numpy(search(cached.step, *begun, **limits))
        assert words.shape == (3, 3) and (words[:, 0] > 1).all()


def test_a_prompt_longer_than_the_cache_is_an_error():
    decoder, text, _ = make()
    with pytest.raises(ValueError, match="steps=9, cache_size=9"):
        decoder.begin(text, cache_size=9)


def test_more_steps_than_learned_positions_are_an_error():
    decoder, text, _ = make(num_positions=8)
    with pytest.raises(ValueError, match="steps=9, num_positions=8"):
        decoder(text)
    with pytest.raises(ValueError, match="steps=11, num_positions=8"):
        decoder.begin(text[:, :2], cache_size=12)


@pytest.mark.parametrize(
    "sizes", [dict(num_kv_heads=3), dict(num_blocks=0), dict(num_positions=0)]
)
def test_sizes_out_of_range_are_an_error(sizes):
    with pytest.raises(ValueError, match="Expected sizes >= 1"):
        DecoderSizes(**sizes)


def test_one_word_is_a_vocabulary():
    decoder = TransformerDecoder(2, 8, DecoderSizes(num_blocks=1), start=1)
    logits = numpy(decoder(np.ones((1, 3), "int32")))
    assert np.isfinite(logits).all() and (logits[..., 0] < -1e8).all()


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_finite_and_near(dtype):
    decoder, text, context = make("prefix", dtype=dtype)
    right, _, _ = make("prefix")
    padded = np.pad(text, ((0, 0), (2, 0)))
    found = numpy(decoder(padded, *context))[:, 2:]
    np.testing.assert_allclose(found, numpy(right(text, *context)), atol=0.1)
    state, seen = decoder.begin(text[:, :3], *context, cache_size=5)
    logits, _ = decoder.step(text[:, 3], state, seen)
    assert np.isfinite(numpy(logits)).all()


def test_is_served_from_a_graph(tmp_path):
    decoder, text, _ = make()
    prompt = keras.Input((4,), dtype="int32", name="prompt")
    words = SequenceGenerator(CachedDecoder(decoder, 8), 4)(prompt)
    model = keras.Model(prompt, words)
    model.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    right = numpy(model(text[:, :4]))
    assert_same(served.serve(tf.constant(text[:, :4])), right)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(loaded(text[:, :4]), right)


def test_rotary_positions_know_distances_alone():
    decoder, _, _ = make()
    angles = decoder._angles(ops.convert_to_tensor([[3, 4, 5]]))
    moved = decoder._angles(ops.convert_to_tensor([[13, 14, 15]]))
    mask = np.tril(np.ones((1, 3, 3), bool))
    x = np.random.default_rng(1).normal(size=(1, 3, WIDTH)).astype("float32")
    block = decoder.blocks[0]
    assert_same(block(x, mask, angles)[0], block(x, mask, moved)[0])
