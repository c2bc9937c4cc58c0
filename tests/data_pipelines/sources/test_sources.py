"""Every source gives raw scalars; the quickstart task and the tfds builder."""

import io
import pathlib

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import data_pipelines.datasets.builders
from data_pipelines import align
from data_pipelines import sources
from data_pipelines.datasets import keypad
from data_pipelines.decoding.decode import decode
from data_pipelines.sources import tfds as tfds_source
from mbm_keras.preprocessing import CaptionIds
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing.wav import decode_wav
from tests.helpers import image_bytes


def test_keypad_gives_raw_scalars_by_split():
    splits = keypad.load(rows=80)
    assert {k: int(v.cardinality()) for k, v in splits.items()} == {
        "train": 60,
        "valid": 8,
        "test": 12,
    }
    inputs, target = splits["train"].element_spec
    assert all(s == tf.TensorSpec((), tf.string) for s in inputs.values())
    assert list(target) == ["answer"]


def test_keypad_answers_are_right_and_seeded():
    one = list(keypad.examples(rows=60, seed=5))
    assert one == list(keypad.examples(rows=60, seed=5))
    assert one != list(keypad.examples(rows=60, seed=6))
    assert not {e["digit_id"] for e in one if e["split"] == "train"} & {
        e["digit_id"] for e in one if e["split"] == "test"
    }
    assert Image.open(io.BytesIO(one[0]["digit"])).size == (32, 32)


def test_a_key_sounds_with_its_two_tones():
    for key, tones in {1: (697, 1_209), 0: (941, 1_336), 9: (852, 1_477)}.items():
        sound = keypad._make_tone(key, np.random.default_rng(0))
        wave, rate = decode_wav(tf.constant(keypad.wav(sound)))
        assert rate == 8_000
        spectrum = np.abs(np.fft.rfft(wave.numpy()))
        frequencies = np.fft.rfftfreq(len(wave), 1 / 8_000)
        for tone in tones:
            peak = frequencies[np.argsort(spectrum)[-12:]]
            assert np.abs(peak - tone).min() < 8, key


def test_the_tfds_builder_prepares_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(
        keypad, "examples", lambda made=keypad.examples: made(rows=40, seed=0)
    )
    data_pipelines.datasets.builders.register()
    with pytest.raises(ValueError, match="not prepared"):
        tfds_source.load("keypad_arithmetic", inputs={}, data_dir=tmp_path)
    builder = tfds.builder("keypad_arithmetic", data_dir=tmp_path)
    builder.download_and_prepare()
    loaded = tfds_source.load(
        "keypad_arithmetic",
        inputs={"instruction": "instruction", "digit": "digit", "tone": "tone"},
        targets={"answer": "answer"},
        data_dir=tmp_path,
    )
    assert {k: int(v.cardinality()) for k, v in loaded.items()} == {
        "train": 30,
        "valid": 4,
        "test": 6,
    }
    inputs, target = next(iter(loaded["train"]))
    assert inputs["digit"].numpy().startswith(b"\x89PNG")
    assert inputs["tone"].numpy().startswith(b"RIFF")
    assert target["answer"].numpy() in b"0123456789"
    with pytest.raises(ValueError, match="no feature"):
        tfds_source.load("keypad_arithmetic", inputs={"a": "smell"}, data_dir=tmp_path)


def test_every_caption_of_a_picture_makes_a_row(tmp_path):
    told = [["a cat", "two cats", "cats on a mat"], [], ["a dog"]]

    def examples(self, split, decoders=None, **_):
        assert set(decoders) == {"image"}  # the pictures stay encoded
        made = [
            {
                "image": image_bytes("JPEG", seed=i),
                "captions": {"text": texts, "id": list(range(len(texts)))},
            }
            for i, texts in enumerate(told)
        ]
        spec = {
            "image": tf.TensorSpec((), tf.string),
            "captions": {
                "text": tf.TensorSpec((None,), tf.string),
                "id": tf.TensorSpec((None,), tf.int64),
            },
        }
        return tf.data.Dataset.from_generator(lambda: made, output_signature=spec)

    with tfds.testing.mock_data(as_dataset_fn=examples, data_dir=tmp_path):
        # The mock says where prepared files would be, and makes none.
        place = tfds.builder("coco_captions", data_dir=tmp_path).data_path
        pathlib.Path(place).mkdir(parents=True)
        assert tmp_path in pathlib.Path(place).parents
        asked = dict(data_dir=tmp_path, each="captions", splits={"train": "train"})
        frame = tfds_source.frame(
            "coco_captions",
            inputs={"image": "image", "caption": "captions/text"},
            **asked,
        )
        with pytest.raises(ValueError, match="no feature.*captions/smell"):
            tfds_source.load(
                "coco_captions", inputs={"caption": "captions/smell"}, **asked
            )
        with pytest.raises(ValueError, match="Received: each='image'"):
            tfds_source.load(
                "coco_captions", inputs={}, data_dir=tmp_path, each="image"
            )
    assert frame["caption"].to_list() == told[0] + told[2]
    assert frame["image"][0] == frame["image"][2] == image_bytes("JPEG", seed=0)
    rows = sources.open_table(frame, columns={"caption": "text", "image": "image"})
    features = Features(image=Pixels(8), caption=CaptionIds(5))
    features.adapt({"caption": frame["caption"].to_list()})
    samples, _, broken = decode(rows, features, {})
    assert len(samples) == 4 and broken == []


def test_spoken_digits_through_tfds(tmp_path, real_data):
    tfds_source.prepare("spoken_digit", real_data, tmp_path)
    tfds_source.prepare("spoken_digit", "/nowhere", tmp_path)  # it is
    loaded = tfds_source.load(
        "spoken_digit",
        inputs={"audio": "audio"},
        targets={"label": "label"},
        data_dir=tmp_path,
    )
    inputs, _ = next(iter(loaded["train"]))
    wave, rate = decode_wav(inputs["audio"])
    assert rate == 8_000 and len(wave) > 500


def test_without_its_archive_it_says_at_once_what_to_put_where(tmp_path):
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte.gz.*from https"):
        tfds_source.prepare("mnist", tmp_path, tmp_path)


def test_written_and_spoken_digits_make_one_table(tmp_path, real_data):
    tfds_source.prepare("spoken_digit", real_data, tmp_path)
    spoken = tfds_source.frame(
        "spoken_digit",
        inputs={"audio": "audio"},
        targets={"label": "label"},
        splits={"train": "train[:80%]", "test": "train[80%:]"},
        data_dir=tmp_path,
    )
    pixels = [image_bytes(seed=i) for i in range(100)]
    written = pl.DataFrame(
        {
            "image": pixels,
            "label": [str(i % 10) for i in range(100)],
            "split": ["train"] * 70 + ["test"] * 30,
        }
    )
    paired = align.by_label({"written": written, "spoken": spoken}, "label")
    rows = sources.open_table(paired.frame, target="label")
    assert rows.columns == {"image": "image", "audio": "audio"}
    features = Features(image=Pixels(8), audio=LogMel(8_000, 0.5, 8, variable=True))
    label = Label([str(i) for i in range(10)])
    samples, _, broken = decode(rows, features, {"label": label})
    assert len(samples) == 100 and broken == []
    assert samples.targets["label"].tolist() == [i % 10 for i in range(100)]


PICTURES = [image_bytes(seed=i) + b"\0" * i for i in range(6)]
TEXTS = ["one", "two", "", "naïve", "five", "six"]


def test_arrays_row_by_row():
    loaded = sources.arrays.load(
        {"text": TEXTS, "photo": PICTURES, "age": np.arange(6.0)},
        {"y": np.arange(6)},
        splits=["train", "valid"] * 3,
    )
    assert list(loaded) == ["train", "valid"]
    rows = list(loaded["valid"].as_numpy_iterator())
    assert [x["photo"] for x, _ in rows] == PICTURES[1::2]
    assert [x["text"].decode() for x, _ in rows] == TEXTS[1::2]
    assert [float(x["age"]) for x, _ in rows] == [1.0, 3.0, 5.0]
    assert [int(y["y"]) for _, y in rows] == [1, 3, 5]
    with pytest.raises(ValueError, match="in each array.*Samples.from_arrays"):
        sources.arrays.load({"a": [1.0, 2.0], "b": [1.0]})
    with pytest.raises(ValueError, match="one scalar per row"):
        sources.arrays.load({"a": np.zeros((3, 2))})


def test_a_dataset_of_ones_own_becomes_a_table():
    def rows():
        for i in range(6):
            text = b"\xff" if i == 4 else TEXTS[i].encode()
            yield {"text": text, "photo": PICTURES[i]}, {"y": "ab"[i % 2]}

    scalar = tf.TensorSpec((), tf.string)
    made = tf.data.Dataset.from_generator(
        rows, output_signature=({"text": scalar, "photo": scalar}, {"y": scalar})
    )
    columns = {"text": "text"}
    one = sources.open_table(
        {"train": made, "valid": made}, target="y", columns=columns
    )
    assert one.columns == {"text": "text", "photo": "image"}
    assert one.rows_read == 12 and one.rows.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10, 12]
    assert [(b.row, b.column) for b in one.broken] == [(5, "text"), (11, "text")]
    assert sorted(set(one.split)) == ["train", "valid"]
    features = Features(photo=Pixels(8))
    samples, good, _ = decode(one, features)
    assert good.all() and samples.values["photo"].shape[0] == 5  # each once
    alone = sources.open_table(made.map(lambda x, _: x), columns=columns)
    assert alone.target is None and len(alone.rows) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        tf.data.Dataset.range(3),
        tf.data.Dataset.from_tensor_slices({"a": [1.0, 2.0]}).batch(2),
        tf.data.Dataset.from_tensor_slices(({"a": [1.0]}, [1.0])),
    ],
)
def test_a_dataset_of_something_else_is_refused(wrong):
    with pytest.raises(ValueError, match="inputs and targets of one row"):
        sources.dataset.load({"train": wrong})
