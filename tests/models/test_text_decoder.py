"""Text from anything: what the words see, and what the writers write."""

import dataclasses

import keras
import numpy as np
import pytest

from mbm_keras.generation import BeamSearch
from mbm_keras.generation import Sampling
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import DecoderSizes
from mbm_keras.models import coca
from mbm_keras.models import for_inference
from mbm_keras.models import git
from mbm_keras.models import text_decoder
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import tiny

WRITERS = {"coca": coca, "git": git, "text_decoder": text_decoder}
every_writer = pytest.mark.parametrize("module", WRITERS.values(), ids=WRITERS)
SPECS = [
    InputSpec("image", "image", dict(size=16)),
    InputSpec("text", "text", dict(vocabulary_size=9)),
    InputSpec("numbers", "vector", dict(size=3)),
]


def loud(model, seed=0):
    """The model with random weights: words that are not all alike."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(numpy(weight) + rng.normal(0, 0.2, weight.shape))
    return model


def slow_greedy(model, x, task):
    """One word after the other, from the logits of the model that trains."""
    rows = len(next(iter(x.values())))
    teacher = np.zeros((rows, task.sequence_length), "int32")
    for t in range(task.sequence_length):
        fed = np.where(np.arange(task.sequence_length) <= t, teacher, 0)
        fed[:, t] = 1  # it is not read before the next word
        logits = numpy(model({**x, f"{task.name}_teacher": fed}))[task.name][:, t]
        logits[:, :2] = -np.inf
        ended = (teacher == task.end).any(axis=1)
        teacher[:, t] = np.where(ended, 0, logits.argmax(axis=1))
    return teacher


@pytest.mark.slow
@every_writer
def test_writes_what_the_model_that_trains_finds_most_probable(module):
    model, task = loud(tiny(module)), module.PRESETS["tiny"].arguments["task"]
    x = random_inputs(model, batch=4)
    x.pop("words_teacher")
    writer = for_inference(module.__name__.rpartition(".")[2], model, task)
    words = writer.predict(x, verbose=0)["words"]
    assert words.tolist() == slow_greedy(model, x, task).tolist()


@every_writer
def test_every_search_and_a_prompt_are_taken(module):
    model, task = loud(tiny(module)), module.PRESETS["tiny"].arguments["task"]
    x = random_inputs(model, batch=2)
    x["prompt"] = np.array([[5, 6], [7, 0]], "int32")
    for search in (BeamSearch(3), Sampling(top_p=0.9)):
        writer = module.writer(model, task, search=search, seed=0, prompt_length=2)
        words = numpy(writer({k: v for k, v in x.items() if k != "words_teacher"}))
        assert words["words"].shape == (2, 6)
        assert (words["words"][:, 0] > 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("condition", text_decoder.CONDITIONS)
def test_writes_about_any_inputs(condition):
    keras.utils.set_random_seed(0)
    task = Captioning(12, 4)
    model = loud(
        text_decoder.build(
            inputs=SPECS,
            task=task,
            condition=condition,
            width=16,
            blocks=dict(num_blocks=1, num_heads=2),
        )
    )
    x = random_inputs(model, batch=3)
    x["text"][1, 2:] = 0
    before = numpy(model(x))["words"]
    for name in ("image", "text", "numbers"):
        changed = x[name].copy()
        changed[0] = changed[0][::-1] + (1 if name == "numbers" else 0)
        after = numpy(model({**x, name: changed}))["words"]
        assert np.abs(after - before)[0].max() > 1e-4, name
        assert_same(after[1:], before[1:], 1e-4)
    words = for_inference("text_decoder", model, task).predict(x, verbose=0)["words"]
    assert words.shape == (3, 4)


def language_model(**changes):
    keras.utils.set_random_seed(0)
    task = Captioning(9, 5, "text")
    blocks = dict(num_blocks=1, num_heads=2, **changes)
    model = text_decoder.build(
        inputs=[], task=task, width=16, blocks=blocks, dropout=0.0
    )
    return model, task


@pytest.mark.slow
def test_a_language_model_learns_its_texts_and_continues_them():
    model, task = language_model()
    texts = np.array([[3, 4, 5, 6, 2], [7, 8, 3, 2, 0]] * 8, "int32")
    model.compile(keras.optimizers.Adam(0.02), task.loss())
    x, y = task.feed({}, {"text": texts})
    model.fit(x, y, epochs=100, verbose=0)
    writer = text_decoder.writer(model, task, prompt_length=2)
    prompts = np.array([[3, 4], [0, 7]], "int32")
    words = writer.predict({"prompt": prompts}, verbose=0)["text"]
    assert words.tolist() == [[5, 6, 2, 0, 0], [8, 3, 2, 0, 0]]


def test_a_language_model_needs_a_prompt():
    model, task = language_model()
    with pytest.raises(ValueError, match="prompt_length >= 1"):
        text_decoder.writer(model, task)


def test_a_prompt_beyond_the_positions_is_refused():
    model, task = language_model(num_positions=5)
    with pytest.raises(ValueError, match="steps=7, num_positions=5"):
        text_decoder.writer(model, task, prompt_length=2)
    with pytest.raises(ValueError, match="steps=6, num_positions=5"):
        model(np.ones((1, 6), "int32"))


@pytest.mark.slow
def test_a_vocabulary_of_one_word_is_learned_and_written():
    task = Captioning(4, 3)
    model = tiny(git, task=task)
    x = random_inputs(model, batch=4)
    x["words_teacher"] = np.array([[3, 2, 0]] * 4, "int32")
    model.compile(keras.optimizers.Adam(0.02), task.loss())
    model.fit(x, x["words_teacher"], epochs=30, verbose=0)
    words = for_inference("git", model, task).predict(x, verbose=0)["words"]
    assert words.tolist() == [[3, 2, 0]] * 4


@every_writer
def test_another_task_or_an_end_outside_the_vocabulary_is_refused(module):
    inputs = module.PRESETS["tiny"].arguments["inputs"]
    with pytest.raises(ValueError, match="Captioning"):
        module.check_fit(inputs, Classification(3))
    with pytest.raises(ValueError, match="end=9, vocabulary_size=9"):
        module.check_fit(inputs, Captioning(9, 4, end=9))


def test_an_unknown_condition_is_refused():
    with pytest.raises(ValueError, match="condition='suffix'"):
        tiny(text_decoder, condition="suffix")


def test_the_sizes_of_blocks_are_plain_data_in_a_plan():
    sizes = DecoderSizes(num_blocks=1, num_heads=2)
    given = [tiny(git, blocks=x) for x in (sizes, dataclasses.asdict(sizes))]
    assert_same(*(model.get_weights() for model in given))


def test_a_prompt_is_continued_and_not_read_in_training():
    keras.utils.set_random_seed(0)
    task = Captioning(12, 4, "line")
    sizes = dict(width=16, blocks=dict(num_blocks=1, num_heads=2))
    prompt = InputSpec("line", "prompt", dict(length=3))
    model = loud(text_decoder.build(inputs=[prompt], task=task, **sizes))
    words = np.array([[5, 6, 7, 2]], "int32")
    given = {"line": np.array([[5, 6, 0]], "int32"), "line_teacher": words}
    other = {**given, "line": np.array([[9, 3, 4]], "int32")}
    assert_same(model(given)["line"], model(other)["line"])

    plain = text_decoder.build(inputs=[], task=task, **sizes)
    plain.set_weights(model.get_weights())
    writer = text_decoder.writer(plain, task, prompt_length=3)
    x = np.array([[5, 6, 0], [9, 3, 4]], "int32")
    expected = numpy(writer({"prompt": x})["line"])
    answers = for_inference("text_decoder", model, task)
    assert [tensor.name for tensor in answers.inputs] == ["line"]
    assert numpy(answers({"line": x})["line"]).tolist() == expected.tolist()
    assert expected[0].tolist() != expected[1].tolist()
