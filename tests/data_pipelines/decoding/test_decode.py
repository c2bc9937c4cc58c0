"""decode: every part once, every row accounted for."""

import io

import numpy as np
import pytest
import soundfile

from data_pipelines import augment
from data_pipelines.decoding.decode import decode
from mbm_keras.preprocessing import WordIds
from tests.helpers import image_bytes
from tests.helpers import wav_bytes
from tests.tables import FILES
from tests.tables import ROWS
from tests.tables import make_table


def test_every_row_is_good_or_broken_with_its_reason(tmp_path):
    rows, features, targets = make_table(tmp_path, ROWS, FILES)
    samples, good, broken = decode(rows, features, targets)
    assert list(samples.ids) == [1, 2] and good.sum() == 2
    reasons = {(b.row, b.column): b.reason for b in broken}
    assert {row for row, _ in reasons} == set(range(3, 11))
    assert "JPEG" in reasons[3, "photo"]
    assert "not in the WAV file" in reasons[4, "voice"]
    assert reasons[5, "photo"] == "there is no such file: missing.png"
    assert reasons[6, "voice"] == "the file is empty: empty.wav"
    assert "leaves the table's folder" in reasons[7, "photo"]
    assert reasons[8, ""] == "every input is empty"
    assert "'perhaps' is not one that training saw" in reasons[9, "y"]
    assert reasons[10, "y"] == "the target is empty"


def test_a_corrupt_part_can_be_kept_as_absent(tmp_path):
    rows, features, _ = make_table(tmp_path, ROWS, FILES)
    samples, good, broken = decode(rows, features, keep_corrupt=True)
    assert good.sum() == 9 and not good[7]
    assert samples.present()[2].tolist() == [True, False, True]
    assert len(broken) == 6


def test_the_reason_is_a_sentence_with_its_numbers(tmp_path):
    bomb = bytearray(image_bytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    files = {"bomb.png": bytes(bomb), "cut.wav": wav_bytes()[:-100], **FILES}
    both = [
        ("hello", "bomb.png", "good.wav", "no"),
        ("hi", "good.png", "cut.wav", "no"),
    ]
    _, _, broken = decode(*make_table(tmp_path, both, files))
    assert [item.reason for item in broken] == [
        "cannot be decoded: more pixels than allowed: 3600000000 50000000",
        "cannot be decoded: WAV file ends early: bytes 4000 3900",
    ]


def test_a_column_that_is_no_input_is_named(tmp_path):
    rows, features, _ = make_table(tmp_path, ROWS, FILES)
    features.by_name["photograph"] = features.by_name.pop("photo")
    with pytest.raises(ValueError, match=r"\['photograph'\] that are no inputs"):
        decode(rows, features)


def test_a_shared_picture_is_decoded_once(tmp_path):
    rows, features, targets = make_table(tmp_path, ROWS[:1] * 7, FILES)
    samples, _, _ = decode(rows, features, targets)
    assert len(samples) == 7
    assert {name: len(v) for name, v in samples.values.items()} == {
        "text": 1,
        "photo": 1,
        "voice": 1,
    }


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_compressed_sound_is_the_sound_it_was(tmp_path, kind):
    wave, rate = soundfile.read(io.BytesIO(wav_bytes()))
    data = io.BytesIO()
    soundfile.write(data, wave, rate, format=kind)
    name = f"a.{kind.lower()}"
    files = {**FILES, name: data.getvalue()}
    both = [("hello", "", name, "no"), ("hello", "", "good.wav", "no")]
    samples, _, broken = decode(*make_table(tmp_path, both, files))
    assert broken == [] and len(samples) == 2
    left, right = samples.values["voice"]
    assert np.abs(left[3:-3] - right[3:-3]).max(axis=1).mean() < 3


def test_batches_have_every_row_once_and_depend_on_the_seed(tmp_path):
    many = [(f"hello {i}", "good.png", "good.wav", "no") for i in range(40)]
    rows, features, targets = make_table(tmp_path, many, FILES)
    features.by_name["text"] = WordIds(2, ["hello", *(str(i) for i in range(40))])
    samples, _, _ = decode(rows, features, targets)

    def texts(dataset):
        return [x["text"][:, 1].numpy().tolist() for x, _ in dataset]

    plain = samples.batches(16)
    assert sum(texts(plain), []) == list(range(3, 43))
    assert int(plain.cardinality()) == 3
    one = samples.batches(16, shuffle=True, seed=1)
    first, second = texts(one), texts(one)
    assert sorted(sum(first, [])) == list(range(3, 43)) and first != second
    assert texts(samples.batches(16, shuffle=True, seed=1)) == first
    assert texts(samples.batches(16, shuffle=True, seed=2)) != first

    def some(dataset):
        return [(set(x), x["text"].numpy().tolist()) for x, _ in dataset]

    change = {"photo": lambda x, seed: x, "text": augment.words(0.5)}
    whole = samples.batches(16, shuffle=True, augment=change)
    part = samples.batches(16, shuffle=True, augment=change, inputs=["text"])
    assert [ids for _, ids in some(part)] == [ids for _, ids in some(whole)]
    assert all(names == {"text", "present"} for names, _ in some(part))


def test_a_sound_that_would_fill_the_memory_is_refused_by_its_header(tmp_path):
    data = io.BytesIO()
    soundfile.write(data, np.zeros(2_000), 8_000, format="FLAC")
    bomb = bytearray(data.getvalue())
    bomb[21] |= 0x0F  # the length in its header, 36 bits
    bomb[22:26] = b"\xff" * 4
    files = {**FILES, "bomb.flac": bytes(bomb)}
    _, _, broken = decode(
        *make_table(tmp_path, [("hello", "", "bomb.flac", "no")], files)
    )
    assert "more sound than allowed" in broken[0].reason
