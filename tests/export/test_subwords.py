"""Subwords in a SavedModel that only TensorFlow is needed to load."""

import json
import pathlib
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from mbm_keras.export.padding import cut_padding
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Subwords
from mbm_keras.preprocessing.subwords.folder import read_json

DATA = pathlib.Path(__file__).parent.parent / "preprocessing" / "data"
KINDS = ("bert", "clip", "xlmr")
TEXTS = ["a text of words", "naïve cafe\u0301, 東京 😀", "", "----- http://a.b/c?d"]
SERVER = """
import json, sys
for name in ("keras", "mbm_keras", "tensorflow_text", "tokenizers"):
    sys.modules[name] = None
import tensorflow as tf
module = tf.saved_model.load(sys.argv[1])
outputs = module.serve(tf.constant(json.loads(sys.argv[2])))
print(json.dumps({name: ids.numpy().tolist() for name, ids in outputs.items()}))
"""


class Server(tf.Module):
    """Decodes texts by tokenizers of several kinds."""

    def __init__(self):
        super().__init__()
        self.by_kind = {kind: read(kind) for kind in KINDS}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, texts):
        return {kind: words.decode(texts)[0] for kind, words in self.by_kind.items()}


def read(kind):
    content = json.loads((DATA / f"subwords_{kind}.json").read_text())["tokenizer"]
    return Subwords(read_json(content), 16)


@pytest.mark.slow
def test_a_saved_model_gives_the_same_ids_where_only_tensorflow_is(tmp_path):
    server = Server()
    expected = server.serve(tf.constant(TEXTS))
    tf.saved_model.save(server, str(tmp_path))
    command = [sys.executable, "-c", SERVER, str(tmp_path), json.dumps(TEXTS)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    assert found == {kind: ids.numpy().tolist() for kind, ids in expected.items()}


@pytest.mark.parametrize("length", [None, 16])
def test_a_request_is_as_long_as_its_longest_text(length):
    features = Features(text=read("bert"))
    model = keras.Model([x := keras.Input((length,), dtype="int32", name="text")], x)
    raw = {"text": tf.constant(["a", "", "a text"])}
    arrays, _ = features.decode_batch(raw)
    short = cut_padding(arrays, features, model)["text"]
    used = int(tf.reduce_max(tf.reduce_sum(tf.cast(arrays["text"] != 0, tf.int32), 1)))
    assert short.shape == (3, length or used) and used < 16
    assert bool(tf.reduce_all(short == arrays["text"][:, : short.shape[1]]))
    empty = {"text": tf.zeros((1, 16), tf.int32)}
    assert cut_padding(empty, features, model)["text"].shape == (1, length or 1)
