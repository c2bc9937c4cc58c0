"""Bytes of files to bytes that graphs decode."""

import io
import types

import numpy as np
import pytest
import soundfile

from data_pipelines.formats.transcode import transcode
from tests.helpers import clip_bytes
from tests.helpers import flac_bytes
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

FRAMES = types.SimpleNamespace(
    modality="video", num_frames=2, size=4, seconds=None, max_pixels=9e6, max_seconds=9
)


def test_compressed_sound_becomes_wav():
    data = transcode(flac_bytes(), "audio")
    wave, rate = soundfile.read(io.BytesIO(data))
    expected, _ = soundfile.read(io.BytesIO(wav_bytes()))
    assert data[:4] == b"RIFF" and rate == 8_000
    np.testing.assert_allclose(wave, expected, atol=1e-4)


def test_a_clip_in_a_column_of_sounds_becomes_its_sound_track():
    assert transcode(clip_bytes(), "audio")[:4] == b"RIFF"
    assert transcode(clip_bytes(hertz=None), "audio") == b""


def test_a_clip_becomes_frames():
    data = transcode(clip_bytes(), "video", FRAMES)
    assert np.load(io.BytesIO(data)).shape == (2, 4, 4, 3)


def test_images_unknown_bytes_and_wav_do_not_change():
    for data in (image_bytes(), b"junk", b"", wav_bytes()):
        assert transcode(data, "image") == data
        assert transcode(data, "audio") == data


def test_an_image_that_graphs_do_not_decode_becomes_png():
    data = transcode(image_bytes("TIFF"), "image")
    assert data.startswith(b"\x89PNG")
    small = types.SimpleNamespace(modality="image", max_pixels=100)
    with pytest.raises(ValueError, match="more pixels than allowed"):
        transcode(image_bytes("TIFF"), "image", small)


def test_a_clip_without_a_preprocessor_does_not_change():
    data = clip_bytes()
    assert transcode(data, "video") == data


@pytest.mark.parametrize(
    "data, what",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d", "git lfs pull"),
        (b"\n<!DOCTYPE HTML><html>404 Not Found</html>", "a web page"),
        (b'{"error": "gone"}', "JSON"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08\0", "gzip"),
    ],
)
@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_file_that_is_something_else_is_named(modality, data, what):
    with pytest.raises(ValueError, match=what):
        transcode(data, modality)
