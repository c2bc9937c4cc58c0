"""GPT-2's weights: what a small checkpoint writes is what `transformers` writes.

The checkpoint in `data/gpt2` is our own: two blocks of width 16, trained for 120 steps
on two sentences, and saved by `transformers` 5.24, which also gave `expected.json`
(greedy, rows of unequal length padded on the left) and `logits.npz` (of the second
prompt).
"""

import dataclasses
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.generation import BeamSearch
from mbm_keras.models import text_decoder
from mbm_keras.preprocessing import Subwords
from mbm_keras.weights import gpt2
from tests.helpers import numpy

FOLDER = pathlib.Path(__file__).parent / "data" / "gpt2"
EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
STEPS, PROMPT = 16, max(map(len, EXPECTED["ids"]))


@pytest.fixture(scope="module")
def model():
    return text_decoder.load(FOLDER)


@pytest.fixture(scope="module")
def writer(model):
    task = dataclasses.replace(text_decoder.task_of(FOLDER), sequence_length=STEPS)
    return text_decoder.writer(
        model, task, exclude=(0,), prompt_length=PROMPT, after_start=False
    )


def prompts(side):
    rows = np.zeros((len(EXPECTED["ids"]), PROMPT), "int32")
    for row, ids in zip(rows, EXPECTED["ids"], strict=True):
        where = slice(-len(ids), None) if side == "left" else slice(len(ids))
        row[where] = 1 + np.array(ids)
    return rows


def test_the_logits_are_those_of_transformers(model):
    text = 1 + np.array([EXPECTED["ids"][1]], "int32")
    logits = numpy(text_decoder.decoder_of(model)(text))[0, :, 1:]
    right = np.load(FOLDER / "logits.npz")["logits"]
    np.testing.assert_allclose(logits, right, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_greedy_search_continues_as_transformers_does(writer, side):
    words = writer.predict(prompts(side), verbose=0)["words"]
    assert (words - 1).tolist() == EXPECTED["written"]


def test_one_beam_continues_as_greedy_search_does(model):
    task = dataclasses.replace(text_decoder.task_of(FOLDER), sequence_length=STEPS)
    writer = text_decoder.writer(
        model,
        task,
        search=BeamSearch(1),
        exclude=(0,),
        prompt_length=PROMPT,
        after_start=False,
    )
    words = writer.predict(prompts("left"), verbose=0)["words"]
    assert (words - 1).tolist() == EXPECTED["written"]


def test_a_prompt_is_text_and_so_is_the_answer(writer):
    words = Subwords.from_folder(FOLDER)
    words.adapt([prompt.encode() for prompt in EXPECTED["prompts"]])
    ids, ok = words.decode(tf.constant(EXPECTED["prompts"]))
    assert ok.numpy().all() and ids.shape[1] == PROMPT
    written = writer.predict(ids.numpy(), verbose=0)["words"]
    texts = [text.decode() for text in words.join(written).numpy()]
    assert texts == EXPECTED["texts"]


def test_a_saved_model_is_the_same(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    text = prompts("right")
    np.testing.assert_allclose(
        numpy(model(text))["words"], numpy(loaded(text))["words"], atol=1e-6
    )


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "gptj"},
        {"n_inner": 50},
        {"scale_attn_by_inverse_layer_idx": True},
    ],
)
def test_another_architecture_is_refused(change):
    config = {"model_type": "gpt2", "n_embd": 16, **change}
    with pytest.raises(ValueError, match="Expected model_type='gpt2'"):
        gpt2.sizes_from(config)


def test_a_configuration_of_other_sizes_is_refused(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "gpt2")
    path = tmp_path / "gpt2" / "config.json"
    path.write_text(path.read_text("utf-8").replace('"n_layer": 2', '"n_layer": 3'))
    with pytest.raises(ValueError, match="Expected the tensor 'h.2.ln_1|'h.2.attn"):
        text_decoder.load(tmp_path / "gpt2")


def test_a_longer_text_than_there_are_positions_is_refused(model):
    task = text_decoder.task_of(FOLDER)
    with pytest.raises(ValueError, match="steps=50, num_positions=48"):
        text_decoder.writer(model, task, prompt_length=3, after_start=False)
