"""One encoded image to pixels."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.image_header import count_pixels
from mbm_keras.preprocessing.riff import form as riff_form


class Pixels(tf.Module):
    """Decodes an image and resizes it to a square.

    JPEG, PNG, BMP, WebP and the first frame of a GIF. Gray becomes RGB, and a
    transparent image is laid on white. The sides are stretched to the square. The
    orientation that a camera writes into the file is not applied.

    A larger image is averaged over the area of each new pixel; a smaller one is
    interpolated linearly. A JPEG of twice the size or more is decoded at a half, a
    quarter or an eighth, as far as that is not below the square: the average over
    those pixels, but for rounding, in a fraction of the time.

    Args:
        size: Height and width of the output, in pixels.
        max_pixels: The most that an image may have. The header decides: a small file
            can unpack to more than the memory holds.

    Returns:
        From the bytes of a file, `(size, size, 3)` uint8 in [0, 255]. Bytes that are
        not a complete image of one of these formats, or of too large a one, are
        corrupt.
    """

    modality = "image"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, size: int, max_pixels: int = 50_000_000):
        super().__init__(name="pixels")
        self.size = size
        self.max_pixels = max_pixels
        self.array = tf.TensorSpec((size, size, 3), tf.uint8)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Files to `(batch, size, size, 3)` uint8; and which were decoded."""
        is_jpeg = _is_jpeg(batch)
        pixels, decoded = self._decode(self._jpeg, tf.where(is_jpeg, batch, ""))

        def decode_others():
            others = tf.where(is_jpeg, "", batch)
            more, more_decoded = self._decode(self._other, others)
            # One of the two is zeros.
            return pixels + more, decoded | more_decoded

        return tf.cond(
            tf.reduce_any(~is_jpeg & (batch != "")),
            decode_others,
            lambda: (pixels, decoded),
        )

    def _decode(self, read, batch):
        return decode_each(lambda x: self._to_square(read(x)), batch, self.array)

    def explain(self, value: bytes) -> str:
        """Why a file cannot be decoded."""
        read = self._jpeg if _is_jpeg(tf.constant(value)) else self._other
        return explain(lambda x: self._to_square(read(x)), value)

    def _jpeg(self, encoded):
        shape = tf.io.extract_jpeg_shape(encoded)[:2]
        encoded = self._check_size(encoded, tf.reduce_prod(tf.cast(shape, tf.int64)))
        halvings = sum(
            tf.cast(tf.reduce_min(shape) >= n * self.size, tf.int32) for n in (2, 4, 8)
        )
        return tf.switch_case(
            halvings,
            [lambda n=n: tf.io.decode_jpeg(encoded, 3, ratio=n) for n in (1, 2, 4, 8)],
        )

    def _other(self, encoded):
        encoded = self._check_size(encoded, count_pixels(encoded))
        image = tf.cond(
            riff_form(encoded) == b"WEBP",
            lambda: tf.image.decode_webp(encoded)[0],
            lambda: tf.image.decode_image(encoded, 0, expand_animations=False),
        )
        return _rgb(image)

    def _check_size(self, encoded, pixels):
        small = tf.debugging.Assert(
            pixels <= self.max_pixels,
            ["more pixels than allowed:", pixels, self.max_pixels],
        )
        with tf.control_dependencies([small]):
            return tf.identity(encoded)

    def _to_square(self, image):
        square, sides = (self.size, self.size), tf.shape(image)[:2]
        ways = [
            lambda: tf.image.resize(image, square, "area"),
            lambda: tf.image.resize(image, square),
            # Smaller along one axis and larger along the other.
            lambda: tf.image.resize(image, square, antialias=True),
        ]
        smaller = tf.reduce_all(sides >= self.size)
        larger = tf.reduce_all(sides <= self.size)
        way = tf.where(smaller, 0, tf.where(larger, 1, 2))
        return tf.cast(tf.round(tf.switch_case(way, ways)), tf.uint8)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`size`: height and width."""
        return {"size": self.size}

    def config(self) -> dict:
        """The arguments."""
        return {"size": self.size, "max_pixels": self.max_pixels}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _is_jpeg(encoded):
    return tf.strings.substr(encoded, 0, 3) == b"\xff\xd8\xff"


def _rgb(image):
    """From 1 to 4 channels of uint8, gray or color, with alpha if even, to RGB."""
    shape = tf.shape(image)
    has_alpha = shape[2] % 2 == 0
    color = image[:, :, : shape[2] - tf.cast(has_alpha, tf.int32)]
    color = tf.broadcast_to(color, [shape[0], shape[1], 3])

    def on_white():
        alpha = tf.cast(image[:, :, -1:], tf.float32) / 255
        white = tf.cast(color, tf.float32) * alpha + 255 * (1 - alpha)
        return tf.cast(tf.round(white), tf.uint8)

    image = tf.cond(has_alpha, on_white, lambda: color)
    return tf.ensure_shape(image, (None, None, 3))
