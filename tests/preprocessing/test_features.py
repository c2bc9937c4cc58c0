"""Features: absent and corrupt values, batches, names, and saving."""

import json

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.inputs import InputSpec
from mbm_keras.preprocessing import PREPROCESSORS
from mbm_keras.preprocessing import TARGETS
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import PageFields
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import Quantities
from mbm_keras.preprocessing import Sounds
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import Target
from mbm_keras.preprocessing import Utterance
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import TASKS
from tests.helpers import assert_same
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

RAW = {
    "text": [b"one two", b"", b"\xff", b"two"],
    "image": [image_bytes(), image_bytes("JPEG"), b"", b"no image"],
    "audio": [wav_bytes(), b"no sound", wav_bytes(), b""],
    "age": [1.0, np.nan, 3.0, np.nan],
    "city": [b"Rome", b"", b"Oslo", b""],
}


@pytest.fixture
def features():
    made = Features(
        text=WordIds(),
        image=Pixels(8),
        audio=LogMel(8_000, 0.25, 8),
        table=TableRow({"age": Number()}, {"city": Category()}),
    )
    made.adapt({"text": ["one two"], "age": [1.0, 3.0], "city": ["Rome", ""]})
    return made


@pytest.fixture
def raw(features):
    specs = features.raw_signature()
    return {name: tf.constant(RAW[name], spec.dtype) for name, spec in specs.items()}


class Loud(tf.Module):
    """A preprocessor of a user's own: the text in capitals, `loud` times."""

    modality = "text"
    raw = tf.TensorSpec((), tf.string)
    array = tf.TensorSpec((), tf.string)

    def __init__(self, loud):
        super().__init__(name="loud")
        self.loud = loud

    def decode(self, batch):
        return tf.strings.join([tf.strings.upper(batch)] * self.loud), batch != ""

    def explain(self, value):
        return ""

    def adapt(self, values):
        self.loud = len(values)

    def sizes(self):
        return {"loud": self.loud}

    def config(self):
        return {"loud": self.loud}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_gives_the_status_of_every_value(features, raw):
    arrays, status = features.decode_batch(raw)
    np.testing.assert_array_equal(
        status, [[0, 0, 0, 0], [1, 0, 2, 1], [2, 1, 0, 0], [0, 2, 1, 1]]
    )
    np.testing.assert_array_equal(arrays["present"], status.numpy() == 0)
    assert (arrays["image"].numpy()[2:] == 0).all()


def test_a_corrupt_neighbor_changes_nothing(features, raw):
    together, _ = features.decode_batch(raw)
    alone, _ = features.decode_batch({name: x[:1] for name, x in raw.items()})
    for name in alone:
        assert_same(together[name][:1], alone[name])


@pytest.mark.slow
def test_one_by_one_and_batches_in_a_pipeline_are_the_same(features, raw):
    rows = tf.data.Dataset.from_tensor_slices(raw)
    together, _ = features.decode_batch(raw)
    for one in (rows.map(features).batch(4), rows.batch(4).map(features.decode_batch)):
        batch = one.get_single_element()
        batch = batch[0] if isinstance(batch, tuple) else batch
        for name in together:
            assert_same(together[name], batch[name])


def test_a_table_row_is_numbers_flags_and_ids(features, raw):
    arrays, _ = features.decode_batch(raw)
    np.testing.assert_allclose(
        arrays["table"], [[-1, 1, 2], [0, 0, 0], [1, 1, 1], [0, 0, 0]]
    )


def test_comes_back_from_disk_as_plain_json(features, raw, tmp_path):
    features.save(tmp_path / "features.json")
    json.loads((tmp_path / "features.json").read_text())
    again = Features.load(tmp_path / "features.json")
    assert again.inputs() == features.inputs()
    for left, right in zip(
        features.decode_batch(raw), again.decode_batch(raw), strict=True
    ):
        assert_same(left, right)


def test_a_decoder_is_traced_once_until_more_is_learned():
    texts = ["a cat", "two dogs"]
    features = Features(text=WordIds(4))
    features.adapt({"text": texts})
    spec = tf.TensorSpec((None,), tf.string)
    first = features.trace_decoder("text", spec)
    assert features.trace_decoder("text", spec) is first
    features.by_name["text"].adapt(["two dogs and a bird"])  # not through `features`
    second = features.trace_decoder("text", spec)
    expected, _ = features.decode_input("text", tf.constant(texts))
    assert_same(second(tf.constant(texts))[0], expected)
    assert (first(tf.constant(texts))[0] != expected).numpy().any()


def test_no_rows_give_no_rows(features, raw):
    arrays, status = features.decode_batch({name: x[:0] for name, x in raw.items()})
    assert status.shape == (0, 4)
    for key, f in features.by_key.items():
        assert arrays[key].shape == (0, *f.array.shape)


def test_all_corrupt_is_all_zeros(features, raw):
    broken = {"text": b"\xff", "image": b"no", "audio": b"no"}
    broken = {name: tf.constant([x] * 3) for name, x in broken.items()}
    raw = {name: x[1:2] for name, x in raw.items()}
    raw |= {"age": tf.fill([3], np.nan), "city": tf.fill([3], "")}
    arrays, status = features.decode_batch({**raw, **broken})
    assert status.numpy().tolist() == [[2, 2, 2, 1]] * 3
    assert not any(x.numpy().any() for x in arrays.values())


def test_a_missing_column_is_an_error(features, raw):
    del raw["city"]
    with pytest.raises(ValueError, match="Expected the raw columns .*city"):
        features.decode_batch(raw)


def test_an_unknown_preprocessor_in_the_file_is_an_error(tmp_path):
    content = '{"inputs": {"a": {"preprocessor": "Popen"}}, "keys": {"a": "a"}}'
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(ValueError, match="'Popen' for the input 'a'"):
        Features.load(tmp_path / "f.json")


def test_a_class_of_a_user_is_loaded_where_it_is_given(tmp_path):
    path = tmp_path / "features.json"
    Features(text=Loud(2)).save(path)
    with pytest.raises(ValueError, match="in `custom`"):
        Features.load(path)
    again = Features.load(path, custom={"Loud": Loud})
    arrays, status = again.decode_batch({"text": tf.constant(["a", ""])})
    assert arrays["text"].numpy().tolist() == [b"AA", b""]
    assert status.numpy().tolist() == [[0], [1]]


def test_what_is_not_a_preprocessor_is_an_error():
    with pytest.raises(ValueError, match="`Preprocessor` for the input 'a'"):
        Features(a=tf.Module())


@pytest.mark.parametrize("kind", PREPROCESSORS.values())
def test_every_preprocessor_follows_the_protocol(kind):
    methods = ("decode", "explain", "adapt", "sizes", "config", "from_config")
    assert issubclass(kind, tf.Module) and kind.modality
    assert all(callable(getattr(kind, name)) for name in methods)


@pytest.mark.parametrize("kind", TARGETS.values())
def test_every_target_follows_the_protocol(kind):
    needed = {
        PageFields: ["page", ["total"]],
        Quantities: [["age", "price"]],
        Sounds: [8_000],
        Utterance: ["text", "intent"],
    }
    target = kind(*needed.get(kind, []))
    assert isinstance(target, Target) and target.task in TASKS
    assert kind.from_config(target.config()).config() == target.config()


NAMES = [
    "Review Text", "größe (m²)", "1text", "a.b", "a_b", "km/h", "class", "serve",
    "present", "text", "text_tower", "Name", "name", "self", "x" * 300,
]  # fmt: skip


def test_columns_may_have_any_name(tmp_path):
    features = Features(**{name: WordIds(1, [name]) for name in NAMES})
    raw = {name: tf.constant(["a", ""]) for name in NAMES}
    arrays, status = features.decode_batch(raw)
    assert len({key.lower() for key in arrays}) == len(NAMES) + 1
    assert arrays["present"].dtype == tf.bool and status.shape == (2, len(NAMES))
    assert {"text", "serve", "Name", "a_b"} <= set(arrays)
    features.save(tmp_path / "features.json")
    assert Features.load(tmp_path / "features.json").keys == features.keys
    saved = json.loads((tmp_path / "features.json").read_text(encoding="utf-8"))
    assert saved["keys"] == features.keys


def test_inputs_are_what_builders_ask_for(features):
    assert features.inputs() == [
        InputSpec("text", "text", {"vocabulary_size": 4}),
        InputSpec("image", "image", {"size": 8}),
        InputSpec("audio", "audio", {"frames": 23, "num_mel_bins": 8}),
        InputSpec("table", "table", {"numbers": 1, "categories": (3,)}),
    ]
