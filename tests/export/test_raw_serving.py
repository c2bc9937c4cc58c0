"""Bytes on disk to logits: the same in training and in serving."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.export import alone
from mbm_keras.export import compare
from mbm_keras.export import save
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Frames
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Points
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import image_bytes
from tests.helpers import npy_bytes
from tests.helpers import wav_bytes

CLIP = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3)).astype("uint8")
SWEEP = np.random.default_rng(0).normal(0, 9, (30, 4)).astype("<f4")
RAW = {
    "text": [b"one two", b"", b"two", b"one"],
    "image": [image_bytes(), image_bytes("JPEG"), b"no image", b""],
    "audio": [wav_bytes(), b"", wav_bytes(rate=44_100), b""],
    "clip": [npy_bytes(CLIP), b"", npy_bytes(CLIP)[:-1], npy_bytes(CLIP[:1])],
    "sweep": [SWEEP.tobytes(), SWEEP[:5].tobytes(), b"half", b""],
    "age": [1.0, float("nan"), 3.0, float("nan")],
    "city": [b"Rome", b"", b"Oslo", b""],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model, its features, and the folder of its SavedModel."""
    features = Features(
        text=WordIds(4, ["one", "two"]),
        image=Pixels(16),
        audio=LogMel(8_000, 0.25, 8),
        clip=Frames(4, 16),
        sweep=Points(12),
        table=TableRow({"age": Number(2.0, 1.0)}, {"city": Category(["Rome"])}),
    )
    model = late_fusion.build(
        inputs=features.inputs(), task=Classification(3, "answer"), width=8
    )
    path = tmp_path_factory.mktemp("served") / "model"
    save(model, features, path, targets={"answer": Label(["a", "b", "c"])})
    return model, features, path


def raw(features, rows):
    specs = features.raw_signature()
    return {
        n: tf.constant([RAW[n][i] for i in rows], s.dtype) for n, s in specs.items()
    }


def logits(model, features, rows):
    arrays, _ = features.decode_batch(raw(features, rows))
    return model({t.name: arrays[t.name].numpy() for t in model.inputs})["answer"]


@pytest.mark.parametrize("rows", [[0], [2], [0, 1, 2], [0, 1, 2, 3, 0, 1, 2]])
def test_any_batch_size_gives_what_python_gives(served, rows):
    model, features, path = served
    loaded = tf.saved_model.load(str(path))
    answers = loaded.serve(raw(features, rows))
    assert_same(answers["answer_logits"], logits(model, features, rows))
    assert set(answers["answer"].numpy()) <= {b"a", b"b", b"c"}
    np.testing.assert_allclose(answers["answer_probabilities"].numpy().sum(1), 1, 1e-5)


def test_status_says_what_became_of_every_part(served):
    _, features, path = served
    loaded = tf.saved_model.load(str(path))
    answers = loaded.serve(raw(features, [0, 1, 2, 3]))
    told = {n: answers[f"status_{n}"].numpy().tolist() for n in features.by_name}
    assert told == {
        "text": [b"ok", b"absent", b"ok", b"ok"],
        "image": [b"ok", b"ok", b"corrupt", b"absent"],
        "audio": [b"ok", b"absent", b"ok", b"absent"],
        "clip": [b"ok", b"absent", b"corrupt", b"ok"],
        "sweep": [b"ok", b"ok", b"corrupt", b"absent"],
        "table": [b"ok", b"absent", b"ok", b"absent"],
    }


def test_a_row_without_anything_is_marked(served):
    _, features, path = served
    loaded = tf.saved_model.load(str(path))
    rows = raw(features, [0, 1])
    nothing = {
        name: tf.constant(
            [values[0].numpy(), float("nan") if values.dtype.is_floating else b""],
            values.dtype,
        )
        for name, values in rows.items()
    }
    answers = loaded.serve(nothing)
    assert answers["answered"].numpy().tolist() == [True, False]
    assert_same(answers["answer_logits"][:1], loaded.serve(rows)["answer_logits"][:1])


def test_a_corrupt_part_counts_as_absent(served):
    _, features, path = served
    loaded = tf.saved_model.load(str(path))
    one = raw(features, [2])
    absent = {**one, **dict.fromkeys(("image", "clip", "sweep"), tf.constant([b""]))}
    left, right = loaded.serve(one), loaded.serve(absent)
    assert_same(left["answer_logits"], right["answer_logits"])


def test_arrays_are_served_too(served):
    model, features, path = served
    arrays, _ = features.decode_batch(raw(features, [0, 1]))
    inputs = [arrays[t.name] for t in model.inputs]
    loaded = tf.saved_model.load(str(path))
    answers = loaded.predict(inputs)
    assert_same(answers["answer"], logits(model, features, [0, 1]))


@pytest.mark.slow
def test_serves_without_keras_and_without_us(served):
    model, features, path = served
    right = np.asarray(logits(model, features, range(4)))
    with alone() as process:
        assert compare(path, RAW, {"answer": right}, process) < 1e-4
    wrong = pytest.raises(ValueError, match="differs from the Keras model by 1")
    with wrong, alone() as process:
        compare(path, RAW, {"answer": right + 1.0}, process)


def test_a_served_model_that_is_none_is_an_error(tmp_path):
    wrong = pytest.raises(ValueError, match="does not serve on its own")
    with wrong, alone() as process:
        compare(tmp_path, {"text": [b"a"]}, {"answer": np.zeros((1, 3))}, process)


def test_rejects_other_names(served, tmp_path):
    model, features, _ = served
    with pytest.raises(ValueError, match="the features are"):
        save(model, Features(text=features.by_name["text"]), tmp_path / "x")
    with pytest.raises(ValueError, match="the targets are"):
        save(model, features, tmp_path / "x", targets={"reply": Label(["a"])})
