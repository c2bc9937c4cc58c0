"""Columns with any name are decoded, streamed, cached and trained."""

import keras
import numpy as np
import polars as pl
import pytest

from data_pipelines import Stream
from data_pipelines import scan
from data_pipelines import sources
from data_pipelines.decoding.decode import decode
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification
from tests.helpers import image_bytes
from tests.tables import assert_equal_batches
from tests.tables import to_arrays

TEXTS = ("Review Text", "1text", "birth", "birth_place", "text_tower")
CELLS = {"birth_index": "number", "größe (m²)": "number", "class": "category"}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A table of such columns, features, and targets; photos are called `present`."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "a.png").write_bytes(image_bytes())
    (folder / "cut.jpg").write_bytes(image_bytes("JPEG")[:-100])
    rows = {
        **{name: [f"word{i % 3}" for i in range(12)] for name in TEXTS},
        "present": [*["a.png"] * 11, "cut.jpg"],
        "birth_index": [float(i) for i in range(12)],
        "größe (m²)": [None, *[1.5] * 11],
        "class": ["first", "second"] * 6,
        "answer": ["yes", "no"] * 6,
    }
    pl.DataFrame(rows).write_csv(folder / "rows.csv")
    columns = {name: "text" for name in TEXTS} | {"present": "image"} | CELLS
    table = sources.open_table(
        folder / "rows.csv", target="answer", columns=columns, inputs=list(columns)
    )
    numbers = {name: Number() for name, kind in CELLS.items() if kind == "number"}
    cells = TableRow(numbers, {"class": Category(["first", "second"])})
    texts = {name: WordIds(3, ["word0", "word1"]) for name in TEXTS}
    features = Features(**texts, present=Pixels(8), table=cells)
    return table, features, {"answer": Label(["no", "yes"])}


@pytest.fixture(scope="module")
def result(odd):
    return decode(*odd)


def test_samples_have_the_keys_of_the_features(odd, result):
    _, features, _ = odd
    samples, _, _ = result
    assert samples.inputs == list(features.columns()) == list(features.by_key)
    assert all(key.isidentifier() and key.isascii() for key in samples.inputs)
    assert "present" not in samples.inputs


def test_broken_rows_have_the_names_of_the_columns(odd, result):
    table, features, _ = odd
    _, _, broken = result
    assert [(b.row, b.column) for b in broken] == [(12, "present")]
    assert scan(table, features) == broken


def test_a_stream_and_its_cache_have_the_batches_of_decode(odd, result, tmp_path):
    samples, _, broken = result
    expected = to_arrays(samples.batches(11))
    stream = Stream(*odd, cache=tmp_path)
    for _ in range(2):  # decoded, then from the cache
        assert_equal_batches(to_arrays(stream.batches(12)), expected)
    assert stream.broken == broken
    assert {path.name for path in tmp_path.glob("*.values")} == {
        f"{key}.values" for key in samples.inputs
    }


def test_a_model_with_such_inputs_trains(odd, result):
    _, features, _ = odd
    samples, _, _ = result
    model = late_fusion.build(inputs=features.inputs(), task=Classification(2), width=4)
    (output,) = model.output_names
    samples = samples.take(np.arange(len(samples)))
    samples.targets[output] = samples.targets.pop("answer")
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(samples.batches(6), shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_unique_values_have_the_index_input_of_the_model(odd, result):
    _, features, _ = odd
    samples, _, _ = result
    model = late_fusion.build(
        inputs=features.inputs(), task=Classification(2), width=4, unique=True
    )
    ((x, _),) = samples.batches(11, unique=True)
    assert {tensor.name for tensor in model.inputs} == set(x)
    assert model(x)["label"].shape == (11, 2)
