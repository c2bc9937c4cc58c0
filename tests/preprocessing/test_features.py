"""Features: parts that are absent or corrupt, batches, and the way to disk."""

import json

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.inputs import InputSpec
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds
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


def test_says_what_became_of_every_part(features, raw):
    arrays, status = features.decode_batch(raw)
    np.testing.assert_array_equal(
        status, [[0, 0, 0, 0], [1, 0, 2, 1], [2, 1, 0, 0], [0, 2, 1, 1]]
    )
    np.testing.assert_array_equal(arrays["present"], status.numpy() == 0)
    assert (arrays["image"].numpy()[2:] == 0).all()


def test_a_bad_neighbour_changes_nothing(features, raw):
    together, _ = features.decode_batch(raw)
    alone, _ = features.decode_batch({name: x[:1] for name, x in raw.items()})
    for name in alone:
        assert_same(together[name][:1], alone[name])


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


def test_an_unknown_preprocessor_in_the_file_is_an_error(tmp_path):
    (tmp_path / "f.json").write_text('{"a": {"preprocessor": "Popen"}}')
    with pytest.raises(ValueError, match="'Popen' for 'a'"):
        Features.load(tmp_path / "f.json")


def test_inputs_are_what_builders_ask_for(features):
    assert features.inputs() == [
        InputSpec("text", "text", {"vocabulary_size": 4}),
        InputSpec("image", "image", {"size": 8}),
        InputSpec("audio", "audio", {"frames": 23, "num_mel_bins": 8}),
        InputSpec("table", "table", {"numbers": 1, "categories": (3,)}),
    ]
