"""Pixels: every format, gray and alpha, and what is no image."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing.image_header import pixels_told
from tests.helpers import image_bytes


@pytest.mark.parametrize(
    "kind, mode",
    [
        ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "P"),
        ("PNG", "1"), ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"),
        ("GIF", "P"), ("BMP", "RGB"), ("BMP", "L"), ("WEBP", "RGB"),
    ],
)  # fmt: skip
def test_every_format_looks_as_pillow_sees_it(kind, mode):
    data = image_bytes(kind, mode, size=(8, 8))
    right = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), "int32")
    seen = Pixels(8)(tf.constant(data)).numpy().astype("int32")
    assert np.abs(seen - right).mean() < 3


def test_what_is_transparent_is_white():
    data = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(data, "PNG")
    assert (Pixels(4)(tf.constant(data.getvalue())).numpy() == 255).all()


def test_one_pixel_fills_the_square():
    data = image_bytes(size=(1, 1))
    out = Pixels(4)(tf.constant(data)).numpy()
    assert out.shape == (4, 4, 3) and (out == out[0, 0]).all()


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", image_bytes("JPEG")[:-200], image_bytes("PNG")[:-40],
     image_bytes("WEBP")[:-40], image_bytes("BMP")[:-40]],
)  # fmt: skip
def test_what_is_no_whole_image_is_refused(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        Pixels(4)(tf.constant(data))


@pytest.mark.parametrize(
    "kind, mode, options",
    [
        ("PNG", "RGB", {}), ("GIF", "P", {}), ("BMP", "RGB", {}), ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}), ("WEBP", "RGBA", {}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(300, 7), (1, 1)])
def test_the_header_tells_the_size(kind, mode, options, size):
    data = image_bytes(kind, mode, size=size, **options)
    assert int(pixels_told(tf.constant(data))) == size[0] * size[1]


def test_a_bmp_whose_rows_go_down_is_as_large():
    data = bytearray(image_bytes("BMP", size=(12, 10)))
    data[22:26] = (-10).to_bytes(4, "little", signed=True)
    assert int(pixels_told(tf.constant(bytes(data)))) == 120


@pytest.mark.parametrize("data", [b"", b"B", b"no image", b"RIFF"])
def test_what_has_no_header_has_no_pixels(data):
    assert int(pixels_told(tf.constant(data))) == 0


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header():
    data = bytearray(image_bytes("PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # 10 gigabytes as RGB
    with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than"):
        Pixels(4)(tf.constant(bytes(data)))
    exact = Pixels(4, max_pixels=120)
    exact(tf.constant(image_bytes(size=(12, 10))))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"allowed:'\n132\n120"):
        exact(tf.constant(image_bytes(size=(12, 11))))
    assert exact.config() == {"size": 4, "max_pixels": 120}


@pytest.mark.parametrize("size", [(64, 64), (97, 130), (16, 300)])
def test_what_is_made_smaller_is_averaged_over_areas(size):
    data = image_bytes("PNG", size=size)
    mine = Pixels(16)(tf.constant(data)).numpy().astype(int)
    # Every pixel sixteen times along each axis: then areas are whole pixels.
    fine = np.asarray(Image.open(io.BytesIO(data)), float).repeat(16, 0).repeat(16, 1)
    right = fine.reshape(16, size[1], 16, size[0], 3).mean(axis=(1, 3))
    assert np.abs(mine - right).max() <= 0.51


@pytest.mark.parametrize("times", [2, 4, 5, 8, 20])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_jpeg_is_averaged_by_its_decoder(times, mode):
    smooth = np.linspace(0, 255, 12 * 10 * 3).reshape(10, 12, 3).astype("uint8")
    photo = Image.fromarray(smooth).convert(mode)
    photo = photo.resize((33 * times, 32 * times), Image.BICUBIC)
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=95)
    mine = Pixels(32)(tf.constant(data.getvalue())).numpy().astype(int)
    whole = Image.open(data).convert("RGB").resize((32, 32), Image.BOX)
    assert np.abs(mine - np.asarray(whole, int)).max() <= 4


def test_a_jpeg_that_would_fill_the_memory_is_refused_by_its_header():
    data = bytearray(image_bytes("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (60_000).to_bytes(2, "big") * 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels"):
        Pixels(8)(tf.constant(bytes(data)))
