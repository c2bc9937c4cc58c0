"""Bytes on disk to logits: the same in training and in serving."""

import keras
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
from mbm_keras.preprocessing import Labels
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Points
from mbm_keras.preprocessing import Quantity
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordGrams
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from tests.helpers import assert_same
from tests.helpers import image_bytes
from tests.helpers import npy_bytes
from tests.helpers import numpy
from tests.helpers import wav_bytes

pytestmark = pytest.mark.slow

CLIP = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3)).astype("uint8")
SWEEP = np.random.default_rng(0).normal(0, 9, (30, 4)).astype("<f4")
RAW = {
    "text": [b"one two", b"", b"two", b"one"],
    "note": [b"two one two", b"\xff", b"", "One, zw\xf6lf".encode()],
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
        note=WordGrams(
            4, ["one"], ["one", "two", "one two"], [[2, 2], [1, 1]], 3, room=3
        ),
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


@pytest.fixture(scope="module")
def loaded(served):
    return tf.saved_model.load(str(served[-1]))


def raw(features, rows):
    specs = features.raw_signature()
    return {
        n: tf.constant([RAW[n][i] for i in rows], s.dtype) for n, s in specs.items()
    }


def logits(model, features, rows):
    arrays, _ = features.decode_batch(raw(features, rows))
    return model({t.name: arrays[t.name].numpy() for t in model.inputs})["answer"]


@pytest.mark.parametrize("rows", [[0], [2], [0, 1, 2], [0, 1, 2, 3, 0, 1, 2]])
def test_any_batch_size_gives_what_python_gives(served, loaded, rows):
    model, features, _ = served
    answers = loaded.serve(raw(features, rows))
    assert_same(answers["answer_logits"], logits(model, features, rows))
    assert set(answers["answer"].numpy()) <= {b"a", b"b", b"c"}
    np.testing.assert_allclose(answers["answer_probabilities"].numpy().sum(1), 1, 1e-5)


def test_answers_with_the_status_of_every_input(served, loaded):
    _, features, _ = served
    answers = loaded.serve(raw(features, [0, 1, 2, 3]))
    seen = {n: answers[f"status_{n}"].numpy().tolist() for n in features.by_name}
    assert seen == {
        "text": [b"ok", b"absent", b"ok", b"ok"],
        "note": [b"ok", b"corrupt", b"absent", b"ok"],
        "image": [b"ok", b"ok", b"corrupt", b"absent"],
        "audio": [b"ok", b"absent", b"ok", b"absent"],
        "clip": [b"ok", b"absent", b"corrupt", b"ok"],
        "sweep": [b"ok", b"ok", b"corrupt", b"absent"],
        "table": [b"ok", b"absent", b"ok", b"absent"],
    }


def test_a_row_without_any_input_is_marked(served, loaded):
    _, features, _ = served
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


def test_a_corrupt_input_is_treated_as_absent(served, loaded):
    _, features, _ = served
    one = raw(features, [2])
    absent = {**one, **dict.fromkeys(("image", "clip", "sweep"), tf.constant([b""]))}
    left, right = loaded.serve(one), loaded.serve(absent)
    assert_same(left["answer_logits"], right["answer_logits"])


def test_a_corrupt_neighbor_changes_no_answer(served, loaded):
    _, features, _ = served
    rows = raw(features, [0, 1, 2, 3])
    broken = ("image", "audio", "clip", "sweep")
    rows |= {n: tf.concat([rows[n][:1], [b"no"] * 3], 0) for n in broken}
    rows["text"] = tf.constant([RAW["text"][0], b"\xff", b"\xff", b"\xff"])
    together, alone = loaded.serve(rows), loaded.serve(raw(features, [0]))
    assert_same(together["answer_logits"][:1], alone["answer_logits"])
    assert together["status_image"].numpy().tolist() == [b"ok"] + [b"corrupt"] * 3


def test_the_default_signature_takes_raw_columns(served, loaded):
    _, features, _ = served
    rows = raw(features, [0, 1, 2])
    right = loaded.serve(rows)
    for name in ("serving_default", "serve"):
        answers = loaded.signatures[name](**rows)
        assert answers.keys() == right.keys()
        assert_same(answers["answer_logits"], right["answer_logits"])


def test_no_rows_give_no_rows(served, loaded):
    _, features, _ = served
    rows = {name: x[:0] for name, x in raw(features, [0]).items()}
    one = loaded.serve(raw(features, [0]))
    for answers in (
        loaded.serve(rows),
        loaded.signatures["serving_default"](**rows),
    ):
        assert answers.keys() == one.keys()
        for name, value in answers.items():
            assert value.shape == (0, *one[name].shape[1:])


def test_the_labels_are_in_the_saved_model(loaded):
    for labels in (loaded.labels(), loaded.signatures["labels"]()):
        assert list(labels) == ["answer"]
        assert labels["answer"].numpy().tolist() == [b"a", b"b", b"c"]


def test_without_labels_there_is_no_signature_of_them(served, tmp_path):
    keras_input = keras.Input((2,), dtype="int32", name="words")
    x = keras.ops.cast(keras_input, "float32")
    model = keras.Model([keras_input], {"price": keras.layers.Dense(1)(x)})
    features = Features(words=WordIds(2, ["one"]))
    save(model, features, tmp_path, targets={"price": Quantity(0.0, 1.0)})
    loaded = tf.saved_model.load(str(tmp_path))
    assert "labels" not in loaded.signatures
    answers = loaded.signatures["serving_default"](words=tf.constant(["one", ""]))
    assert answers["price"].shape == (2,)
    assert answers["status_words"].numpy().tolist() == [b"ok", b"absent"]


def test_arrays_are_served_too(served, loaded):
    model, features, _ = served
    arrays, _ = features.decode_batch(raw(features, [0, 1]))
    inputs = {t.name: arrays[t.name] for t in model.inputs}
    right = logits(model, features, [0, 1])
    assert_same(loaded.predict(list(inputs.values()))["answer"], right)
    assert_same(loaded.signatures["predict"](**inputs)["answer"], right)


def test_serves_without_keras_and_without_us(served):
    model, features, path = served
    right = np.asarray(logits(model, features, range(4)))
    with alone() as process:
        assert compare(path, RAW, {"answer": right}, process) < 1e-4
    wrong = pytest.raises(ValueError, match="a difference of 1")
    with wrong, alone() as process:
        compare(path, RAW, {"answer": right + 1.0}, process)


def test_a_folder_without_a_saved_model_is_an_error(tmp_path):
    wrong = pytest.raises(ValueError, match="to answer without Keras")
    with wrong, alone() as process:
        compare(tmp_path, {"text": [b"a"]}, {"answer": np.zeros((1, 3))}, process)


def test_rejects_other_names(served, tmp_path):
    model, features, _ = served
    with pytest.raises(ValueError, match="to be the keys of the features"):
        save(model, Features(text=features.by_name["text"]), tmp_path / "x")
    with pytest.raises(ValueError, match="targets of outputs of"):
        save(model, features, tmp_path / "x", targets={"reply": Label(["a"])})


def test_every_weight_is_in_the_saved_model_once(served):
    model, _, path = served
    weights = sum(variable.value.numpy().nbytes for variable in model.variables)
    (data,) = (path / "variables").glob("variables.data-*")
    assert weights <= data.stat().st_size < 1.2 * weights
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    shapes = [
        shape
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.endswith("VARIABLE_VALUE")
    ]
    assert len(shapes) == len(model.variables)


def test_the_saved_model_has_its_variables(served, loaded):
    model = served[0]
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        mine, theirs = getattr(model, name), getattr(loaded, name)
        for one, two in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one.value.numpy(), two.numpy())


@pytest.mark.parametrize(
    "task, target",
    [
        (Classification(2, activation="softmax"), Label(["a", "b"])),
        (MultiLabel(2, "label", activation="sigmoid"), Labels(["a", "b"])),
    ],
)
def test_probabilities_of_a_model_are_served_as_they_are(task, target, tmp_path):
    features = Features(text=WordIds(1, ["one"]))
    x = keras.Input((1,), dtype="int32", name="text")
    present = keras.Input((1,), dtype="bool", name="present")
    y = task.head(keras.ops.cast(x, "float32"))
    model = keras.Model([x, present], {"label": y})
    head = model.get_layer(y._keras_history.operation.name)
    head.set_weights([np.array([[-2.0, 1.5]]), np.array([3.0, -1.0])])
    save(model, features, tmp_path, targets={"label": target})
    loaded = tf.saved_model.load(str(tmp_path))
    served = loaded.serve({"text": tf.constant(["", "one"])})
    ids, _ = features.decode_batch({"text": tf.constant(["", "one"])})
    right = numpy(model([ids["text"], ids["present"]])["label"])
    assert "label_logits" not in served
    assert_same(served["label_probabilities"], right)
    labels = {b"a": 0, b"b": 1}
    for row, answer in zip(right, served["label"].numpy(), strict=True):
        chosen = {labels[word] for word in answer.split(b"|") if word}
        if isinstance(task, Classification):
            assert chosen == {row.argmax()}
        else:
            assert chosen == set(np.flatnonzero(row > 0.5))
