"""One encoded image to pixels."""

import tensorflow as tf

from mbm_keras.preprocessing.image_header import pixels_told
from mbm_keras.preprocessing.wav import riff_form


class Pixels(tf.Module):
    """Decodes an image and resizes it to a square.

    JPEG, PNG, BMP, WebP and the first frame of a GIF; gray becomes RGB, and what is
    transparent is laid on white. The sides are stretched to the square; the
    orientation that a camera notes beside the pixels is not applied.

    What is made smaller is averaged over the area of each new pixel, what is made
    larger is interpolated linearly. A JPEG of twice the size or more is decoded at a
    half, a quarter or an eighth, as far as that is not below the square: the average
    over those pixels, but for rounding, in a fraction of the time.

    Args:
        size: Height and width of the output, in pixels.
        max_pixels: The most that an image may have. It is refused by its header: a
            small file can unpack to more than the memory holds.

    Returns:
        From a scalar string of bytes, `(size, size, 3)` uint8 in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no whole image of these, or
            it is too large.
    """

    modality = "image"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, size, max_pixels=50_000_000):
        super().__init__(name="pixels")
        self.size = size
        self.max_pixels = max_pixels
        self.array = tf.TensorSpec((size, size, 3), tf.uint8)

    def __call__(self, encoded):
        is_jpeg = tf.strings.substr(encoded, 0, 3) == b"\xff\xd8\xff"
        image = tf.cond(
            is_jpeg, lambda: self._jpeg(encoded), lambda: self._other(encoded)
        )
        return tf.cast(tf.round(self._resized(image)), tf.uint8)

    def _jpeg(self, encoded):
        shape = tf.io.extract_jpeg_shape(encoded)[:2]
        encoded = self._checked(encoded, tf.reduce_prod(tf.cast(shape, tf.int64)))
        halvings = sum(
            tf.cast(tf.reduce_min(shape) >= n * self.size, tf.int32) for n in (2, 4, 8)
        )
        return tf.switch_case(
            halvings,
            [lambda n=n: tf.io.decode_jpeg(encoded, 3, ratio=n) for n in (1, 2, 4, 8)],
        )

    def _other(self, encoded):
        encoded = self._checked(encoded, pixels_told(encoded))
        image = tf.cond(
            riff_form(encoded) == b"WEBP",
            lambda: tf.image.decode_webp(encoded)[0],
            lambda: tf.image.decode_image(encoded, 0, expand_animations=False),
        )
        return _rgb(image)

    def _checked(self, encoded, pixels):
        small = tf.debugging.Assert(
            pixels <= self.max_pixels,
            ["more pixels than allowed:", pixels, self.max_pixels],
        )
        with tf.control_dependencies([small]):
            return tf.identity(encoded)

    def _resized(self, image):
        square, sides = (self.size, self.size), tf.shape(image)[:2]
        ways = [
            lambda: tf.image.resize(image, square, "area"),
            lambda: tf.image.resize(image, square),
            # Smaller along one axis and larger along the other.
            lambda: tf.image.resize(image, square, antialias=True),
        ]
        smaller = tf.reduce_all(sides >= self.size)
        larger = tf.reduce_all(sides <= self.size)
        return tf.switch_case(tf.where(smaller, 0, tf.where(larger, 1, 2)), ways)

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        return {"size": self.size}

    def config(self):
        return {"size": self.size, "max_pixels": self.max_pixels}


def _rgb(image):
    """From 1 to 4 channels of uint8, gray or colour, with alpha if even, to RGB."""
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
