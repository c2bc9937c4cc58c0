"""Pixels: every format, gray and alpha, and what is no image."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mbm_keras.preprocessing import Pixels
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
