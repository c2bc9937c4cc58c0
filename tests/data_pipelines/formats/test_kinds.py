"""Kinds of files by their bytes."""

import os

import pytest

from data_pipelines.formats import kinds
from tests.helpers import image_bytes
from tests.helpers import wav_bytes

HEADS = [
    (image_bytes("JPEG"), "image", "jpg"),
    (image_bytes("PNG"), "image", "png"),
    (image_bytes("GIF"), "image", "gif"),
    (image_bytes("BMP"), "image", "bmp"),
    (image_bytes("WEBP"), "image", "webp"),
    (image_bytes("TIFF"), "image", "tif"),
    (image_bytes("PPM"), "image", "pbm"),
    (b"\0\0\0\x1cftypavif\0\0\0\0", "image", "avif"),
    (b"\0\0\0\x18ftypheic\0\0\0\0", "image", "heic"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'>", "image", "svg"),
    (wav_bytes(), "audio", "wav"),
    (b"fLaC\0\0\0\x22", "audio", "flac"),
    (b"OggS\0\2", "audio", "ogg"),
    (b"ID3\4", "audio", "mp3"),
    (b"\xff\xfb\x90\x64", "audio", "mp3"),
    (b"\0\0\0\x20ftypM4A \0", "audio", "m4a"),
    (b"\xff\xf1\x50\x80", "audio", "aac"),
    (b"#!AMR\n", "audio", "amr"),
    (b"FORM\0\0\0\x20AIFC", "audio", "aifc"),
    (b"caff\0\1", "audio", "caf"),
    (b".snd\0\0\0\x18", "audio", "au"),
    (b"RF64\xff\xff\xff\xffWAVE", "audio", "rf64"),
    ("caffè con latte".encode(), None, "bin"),
    ("ÿþ text".encode("utf-16"), None, "bin"),
    (b"Creates a sound", None, "bin"),
    (b"ID3 is a tree", None, "bin"),
    (b"\0\0\0\x20ftypisom\0", "video", "mp4"),
    (b"RIFF\0\0\0\0AVI LIST", "video", "avi"),
    (b"\x1aE\xdf\xa3\1", "video", "mkv"),
    (b"# .PCD v0.7\n", "points", "pcd"),
    (b"plain text", None, "bin"),
    (b"", None, "bin"),
]


@pytest.mark.parametrize("data, kind, suffix", HEADS)
def test_the_kind_is_in_the_first_bytes(data, kind, suffix):
    assert kinds.kind_of(data[: kinds.HEAD]) == kind


@pytest.mark.parametrize("data, kind, suffix", HEADS)
def test_the_usual_suffix(data, kind, suffix):
    assert kinds.suffix_of(data) == suffix


@pytest.mark.parametrize("kind", kinds.SUFFIXES)
def test_a_suffix_has_one_kind_in_any_case(kind):
    for suffix in kinds.SUFFIXES[kind]:
        assert kinds.kind_of_suffix(suffix.upper()) == kind


def test_a_playlist_is_not_a_clip():
    assert kinds.container_of(b"#EXTM3U\n/etc/passwd") is None


@pytest.mark.parametrize("name", ["", ".", "gone.png", "zero\0.png", "pipe"])
def test_a_path_that_is_not_a_file_has_no_kind(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    assert kinds.read_kind(os.path.join(tmp_path, name)) is None


def test_the_bytes_decide_and_not_the_suffix(tmp_path):
    (tmp_path / "photo.wav").write_bytes(image_bytes())
    assert kinds.read_kind(tmp_path / "photo.wav") == "image"
