"""Datasets of tensorflow-datasets."""

import os
import pathlib

import polars as pl
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import data_pipelines.datasets.builders
from data_pipelines import align
from data_pipelines import sources
from data_pipelines.datasets import keypad
from data_pipelines.sources import tfds as tfds_source
from mbm_keras.preprocessing.wav import decode_wav
from tests.helpers import image_bytes

CAPTIONS = [["a cat", "two cats", "cats on a mat"], [], ["a dog"]]


@pytest.fixture(scope="module")
def keypad_dir(tmp_path_factory):
    """A folder with the keypad task prepared from forty rows."""
    folder = tmp_path_factory.mktemp("keypad")
    with pytest.MonkeyPatch.context() as patch:
        examples = keypad.examples
        patch.setattr(keypad, "examples", lambda: examples(rows=40, seed=0))
        data_pipelines.datasets.builders.register()
        builder = tfds.builder("keypad_arithmetic", data_dir=folder)
        builder.download_and_prepare()
    return folder


@pytest.fixture(scope="module")
def spoken_dir(tmp_path_factory):
    """A folder with the spoken digits prepared from their archive."""
    if "MBM_DATA_DIR" not in os.environ:
        pytest.skip("needs real archives: set MBM_DATA_DIR to their folder")
    folder = tmp_path_factory.mktemp("spoken")
    tfds_source.prepare("spoken_digit", os.environ["MBM_DATA_DIR"], folder)
    return folder


@pytest.fixture
def captions(tmp_path):
    """Arguments for a mocked dataset of captions, several for each image."""

    def examples(self, split, decoders=None, **_):
        assert set(decoders) == {"image"}  # images stay encoded
        made = [
            {
                "image": image_bytes("JPEG", seed=i),
                "captions": {"text": texts, "id": list(range(len(texts)))},
            }
            for i, texts in enumerate(CAPTIONS)
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
        # The mock names a folder of prepared files, and makes none.
        folder = tfds.builder("coco_captions", data_dir=tmp_path).data_path
        pathlib.Path(folder).mkdir(parents=True)
        yield dict(data_dir=tmp_path, splits={"train": "train"})


def test_a_dataset_that_is_not_prepared_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="not prepared"):
        tfds_source.load("keypad_arithmetic", inputs={}, data_dir=tmp_path)


def test_a_prepared_dataset_is_loaded_without_decoding(keypad_dir):
    loaded = tfds_source.load(
        "keypad_arithmetic",
        inputs={"instruction": "instruction", "digit": "digit", "tone": "tone"},
        targets={"answer": "answer"},
        data_dir=keypad_dir,
    )
    sizes = {split: int(rows.cardinality()) for split, rows in loaded.items()}
    inputs, target = next(iter(loaded["train"]))
    assert sizes == {"train": 30, "valid": 4, "test": 6}
    assert inputs["digit"].numpy().startswith(b"\x89PNG")
    assert inputs["tone"].numpy().startswith(b"RIFF")
    assert target["answer"].numpy() in b"0123456789"


def test_a_missing_feature_is_an_error(keypad_dir):
    with pytest.raises(ValueError, match=r"no feature \['smell'\]. It has"):
        tfds_source.load(
            "keypad_arithmetic", inputs={"a": "smell"}, data_dir=keypad_dir
        )


def test_a_column_called_split_is_an_error(keypad_dir):
    with pytest.raises(ValueError, match="other names of columns than 'split'"):
        tfds_source.frame(
            "keypad_arithmetic", inputs={"split": "digit"}, data_dir=keypad_dir
        )


def test_every_caption_of_an_image_makes_a_row(captions):
    frame = tfds_source.frame(
        "coco_captions",
        inputs={"image": "image", "caption": "captions/text"},
        each="captions",
        **captions,
    )
    assert frame["caption"].to_list() == CAPTIONS[0] + CAPTIONS[2]
    assert frame["image"][0] == frame["image"][2] == image_bytes("JPEG", seed=0)
    table = sources.open_table(frame)
    assert table.columns == {"image": "image", "caption": "text"}


def test_a_missing_feature_of_a_sequence_is_an_error(captions):
    inputs = {"caption": "captions/smell"}
    with pytest.raises(ValueError, match="no feature.*captions/smell"):
        tfds_source.load("coco_captions", inputs=inputs, each="captions", **captions)


def test_only_a_sequence_makes_several_rows(captions):
    with pytest.raises(ValueError, match="a sequence. Received: each='image'"):
        tfds_source.load("coco_captions", inputs={}, each="image", **captions)


def test_a_missing_archive_is_named_before_any_download(tmp_path):
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte.gz.*from https"):
        tfds_source.prepare("mnist", tmp_path, tmp_path)


def test_a_prepared_dataset_needs_no_archive(spoken_dir):
    tfds_source.prepare("spoken_digit", "/nowhere", spoken_dir)


def test_sounds_are_encoded_as_wav(spoken_dir):
    loaded = tfds_source.load(
        "spoken_digit",
        inputs={"audio": "audio"},
        targets={"label": "label"},
        data_dir=spoken_dir,
    )
    inputs, _ = next(iter(loaded["train"]))
    wave, rate = decode_wav(inputs["audio"])
    assert rate == 8_000 and len(wave) > 500


def test_written_and_spoken_digits_make_one_table(spoken_dir):
    spoken = tfds_source.frame(
        "spoken_digit",
        inputs={"audio": "audio"},
        targets={"label": "label"},
        splits={"train": "train[:10%]", "test": "train[90%:]"},
        data_dir=spoken_dir,
    )
    written = pl.DataFrame(
        {
            "image": [image_bytes(seed=i) for i in range(100)],
            "label": [str(i % 10) for i in range(100)],
            "split": ["train"] * 70 + ["test"] * 30,
        }
    )
    paired = align.by_label({"written": written, "spoken": spoken}, "label")
    table = sources.open_table(paired.frame, target="label")
    assert table.columns == {"image": "image", "audio": "audio"}
    assert table.targets() == [str(i % 10) for i in range(100)]
    data, reasons = table.read_cells("audio", table.raw("audio"))
    assert all(x.startswith(b"RIFF") for x in data) and not reasons
