"""decode: each value once, every row accounted for."""

import io

import numpy as np
import pytest
import soundfile

from data_pipelines.decoding.decode import decode
from mbm_keras.preprocessing import Features
from tests.helpers import image_bytes
from tests.helpers import wav_bytes
from tests.tables import FILES
from tests.tables import make_table


def test_good_rows_are_samples(bad_decoded):
    samples, good, _ = bad_decoded
    assert samples.ids.tolist() == [1, 2] and good.sum() == 2


def test_every_other_row_is_broken_with_its_reason(bad_decoded):
    _, _, broken = bad_decoded
    reasons = {(b.row, b.column): b.reason for b in broken}
    assert {row for row, _ in reasons} == set(range(3, 11))
    assert "JPEG" in reasons[3, "photo"]
    assert "not in the WAV file" in reasons[4, "voice"]
    assert reasons[5, "photo"] == "there is no such file: missing.png"
    assert reasons[6, "voice"] == "the file is empty: empty.wav"
    assert "leaves the table's folder" in reasons[7, "photo"]
    assert reasons[8, ""] == "every input is empty"
    assert "'perhaps': not a label of the training split" in reasons[9, "y"]
    assert reasons[10, "y"] == "the target is empty"


def test_a_corrupt_input_can_be_kept_as_absent(bad_kept):
    samples, good, broken = bad_kept
    assert good.sum() == 9 and not good[7]
    assert samples.present()[2].tolist() == [True, False, True]
    assert len(broken) == 6


def test_the_reason_has_the_numbers_of_the_file(tmp_path):
    bomb = bytearray(image_bytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    files = {"bomb.png": bytes(bomb), "cut.wav": wav_bytes()[:-100], **FILES}
    rows = [
        ("hello", "bomb.png", "good.wav", "no"),
        ("hi", "good.png", "cut.wav", "no"),
    ]
    _, _, broken = decode(*make_table(tmp_path, rows, files))
    assert [item.reason for item in broken] == [
        "cannot be decoded: more pixels than allowed: 3600000000 50000000",
        "cannot be decoded: WAV file ends early: bytes 4000 3900",
    ]


def test_a_missing_column_is_named(bad):
    table, features, _ = bad
    wrong = Features(photograph=features.by_name["photo"])
    with pytest.raises(ValueError, match=r"input columns \['photograph'\]"):
        decode(table, wrong)


def test_rows_that_share_a_file_share_its_array(good_samples):
    assert len(good_samples) == 40
    assert {key: len(values) for key, values in good_samples.values.items()} == {
        "text": 40,
        "photo": 10,
        "voice": 8,  # seven sounds and the empty one
    }


def test_compressed_sounds_are_decoded_to_the_same_spectrogram(tmp_path):
    wave, rate = soundfile.read(io.BytesIO(wav_bytes()))
    files = dict(FILES)
    for kind in ("FLAC", "OGG", "MP3"):
        data = io.BytesIO()
        soundfile.write(data, wave, rate, format=kind)
        files[f"a.{kind.lower()}"] = data.getvalue()
    names = ("good.wav", "a.flac", "a.ogg", "a.mp3")
    rows = [("", "", name, "no") for name in names]
    table, features, _ = make_table(tmp_path, rows, files)
    features = Features(voice=features.by_name["voice"])
    samples, _, broken = decode(table, features)
    assert broken == [] and len(samples) == 4
    expected, *others = samples.values["voice"]
    for voice in others:
        assert np.abs(voice[3:-3] - expected[3:-3]).max(axis=1).mean() < 3


def test_a_sound_that_would_fill_the_memory_is_refused_by_its_header(tmp_path):
    data = io.BytesIO()
    soundfile.write(data, np.zeros(2_000), 8_000, format="FLAC")
    bomb = bytearray(data.getvalue())
    bomb[21] |= 0x0F  # the length in its header, 36 bits
    bomb[22:26] = b"\xff" * 4
    rows, files = [("hello", "", "bomb.flac", "no")], {"bomb.flac": bytes(bomb)}
    table, features, _ = make_table(tmp_path, rows, files)
    _, _, broken = decode(table, Features(voice=features.by_name["voice"]))
    assert "more sound than allowed" in broken[0].reason
