"""Pixels: every format, gray and alpha, and corrupt images."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing.image_header import count_pixels
from tests.helpers import assert_corrupt
from tests.helpers import decode_one
from tests.helpers import image_bytes

FORMATS = [
    ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "P"),
    ("PNG", "1"), ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"),
    ("GIF", "P"), ("BMP", "RGB"), ("BMP", "L"), ("WEBP", "RGB"),
]  # fmt: skip


@pytest.fixture(scope="module")
def decoded():
    """Pixels of an image of every format, decoded in one batch, and its bytes."""
    files = {kind: image_bytes(*kind, size=(8, 8)) for kind in FORMATS}
    arrays, valid = Pixels(8).decode(tf.constant(list(files.values())))
    assert valid.numpy().all()
    rows = zip(files.items(), arrays.numpy(), strict=True)
    return {kind: (pixels, data) for (kind, data), pixels in rows}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_looks_as_pillow_sees_it(decoded, kind):
    pixels, data = decoded[kind]
    right = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), "int32")
    assert np.abs(pixels.astype("int32") - right).mean() < 3


def test_what_is_transparent_is_white():
    data = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(data, "PNG")
    assert (decode_one(Pixels(4), data.getvalue()) == 255).all()


def test_one_pixel_fills_the_square():
    out = decode_one(Pixels(4), image_bytes(size=(1, 1)))
    assert out.shape == (4, 4, 3) and (out == out[0, 0]).all()


def test_incomplete_images_are_corrupt_and_their_neighbors_are_not():
    whole = image_bytes("JPEG")
    files = [whole, b"", b"no image", whole[:-200], image_bytes("PNG")[:-40],
             image_bytes("WEBP")[:-40], image_bytes("BMP")[:-40], whole]  # fmt: skip
    pixels = Pixels(4)
    arrays, valid = pixels.decode(tf.constant(files))
    assert valid.numpy().tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
    assert arrays[0].numpy().any() and not arrays[1:-1].numpy().any()
    np.testing.assert_array_equal(arrays[0], arrays[-1])
    assert all(pixels.explain(data) for data in files[1:-1])


@pytest.mark.parametrize(
    "kind, mode, options",
    [
        ("PNG", "RGB", {}), ("GIF", "P", {}), ("BMP", "RGB", {}), ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}), ("WEBP", "RGBA", {}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(300, 7), (1, 1)])
def test_the_header_has_the_size(kind, mode, options, size):
    data = image_bytes(kind, mode, size=size, **options)
    assert int(count_pixels(tf.constant(data))) == size[0] * size[1]


def test_a_bmp_whose_rows_go_down_is_as_large():
    data = bytearray(image_bytes("BMP", size=(12, 10)))
    data[22:26] = (-10).to_bytes(4, "little", signed=True)
    assert int(count_pixels(tf.constant(bytes(data)))) == 120


@pytest.mark.parametrize("data", [b"", b"B", b"no image", b"RIFF"])
def test_bytes_without_a_header_have_no_pixels(data):
    assert int(count_pixels(tf.constant(data))) == 0


def test_an_image_that_would_fill_the_memory_is_refused_by_its_header():
    data = bytearray(image_bytes("PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # 10 gigabytes as RGB
    assert_corrupt(Pixels(4), bytes(data), "more pixels than")
    exact = Pixels(4, max_pixels=120)
    decode_one(exact, image_bytes(size=(12, 10)))
    assert_corrupt(exact, image_bytes(size=(12, 11)), "allowed: 132 120")
    assert exact.config() == {"size": 4, "max_pixels": 120}


@pytest.mark.parametrize("size", [(64, 64), (97, 130), (16, 300)])
def test_what_is_made_smaller_is_averaged_over_areas(size):
    data = image_bytes("PNG", size=size)
    mine = decode_one(Pixels(16), data).astype(int)
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
    mine = decode_one(Pixels(32), data.getvalue()).astype(int)
    whole = Image.open(data).convert("RGB").resize((32, 32), Image.BOX)
    assert np.abs(mine - np.asarray(whole, int)).max() <= 4


def test_a_jpeg_that_would_fill_the_memory_is_refused_by_its_header():
    data = bytearray(image_bytes("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (60_000).to_bytes(2, "big") * 2
    assert_corrupt(Pixels(8), bytes(data), "more pixels")
