"""One encoded image to pixels."""

import functools
from collections.abc import Callable
from typing import NamedTuple
from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing import image_chunks
from mbm_keras.preprocessing import jpeg_segments
from mbm_keras.preprocessing.bmp import decode_bmp
from mbm_keras.preprocessing.gif import decode_first_frame
from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain
from mbm_keras.preprocessing.image_header import count_pixels
from mbm_keras.preprocessing.orientation import turn_upright
from mbm_keras.preprocessing.png import decode_png
from mbm_keras.preprocessing.riff import form as riff_form
from mbm_keras.preprocessing.trace_once import trace_once
from mbm_keras.preprocessing.webp import decode_webp


class _Format(NamedTuple):
    """How one format is decoded.

    Args:
        is_it: `(batch,)` strings to bool, by their first bytes.
        inspect: Files of this format, `(batch,)`, to their orientation, what `read`
            must know of each, and an index into `refusals`.
        refusals: Why a file is not decoded.
        read: A scalar string, and what `inspect` found, to an image.
    """

    is_it: Callable[..., tf.Tensor]
    inspect: Callable[..., tuple[tf.Tensor, tuple[tf.Tensor, ...], tf.Tensor]]
    refusals: tuple[str, ...]
    read: Callable[..., tf.Tensor]


class Pixels(tf.Module):
    """Decodes an image and resizes it to a square.

    JPEG, PNG, BMP without run-length coding, WebP without animation, and the first
    frame of a GIF; `data_pipelines` turns other files into PNG. Gray becomes RGB, and a
    transparent image is laid on white. Of 16 bits, the highest eight that the image
    uses are taken. The sides are stretched to the square, upright by the orientation
    that a camera writes into the file.

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
        jpeg, *others = self._formats()
        found = self._decode_format(jpeg, batch, jpeg.is_it(batch))

        def decode_others():
            result = found
            for other in others:
                result = self._add(other, batch, result)
            return result

        is_other = ~jpeg.is_it(batch) & (batch != "")
        result = tf.cond(tf.reduce_any(is_other), decode_others, lambda: found)
        pixels, decoded, orientation = result
        return turn_upright(pixels, orientation), decoded

    def _add(self, kind, batch, result):
        """The same with the files of one more format."""
        which = kind.is_it(batch)

        def add():
            pixels, decoded, orientation = self._decode_format(kind, batch, which)
            # In each row all formats but one have zeros, and ones for upright.
            return (
                result[0] + pixels,
                result[1] | decoded,
                tf.maximum(result[2], orientation),
            )

        return tf.cond(tf.reduce_any(which), add, lambda: result)

    def _decode_format(self, kind, batch, which):
        """Pixels of the files of one format, which were decoded, and orientations."""
        files = tf.where(which, batch, "")
        orientation, extra, refused = kind.inspect(files)
        files = tf.where(refused > 0, "", files)
        pixels, decoded = decode_each(
            lambda *x: self._to_square(kind.read(*x)), files, self.array, extra
        )
        return pixels, decoded, orientation

    def explain(self, value: bytes) -> str:
        """Why a file cannot be decoded."""
        for kind in self._formats():
            if kind.is_it(tf.constant([value]))[0]:
                return self._explain_format(kind, value)
        return "not a JPEG, PNG, GIF, BMP or WebP image"

    def _explain_format(self, kind, value):
        inspect = tf.function(kind.inspect, autograph=False)  # loops are slow without
        _, extra, refused = inspect(tf.constant([value]))
        extra = [x[0] for x in extra]
        reason = kind.refusals[int(refused[0])]
        return reason or explain(lambda x: self._to_square(kind.read(x, *extra)), value)

    def _formats(self):
        """The formats that are decoded, JPEG first."""
        return [
            _Format(
                lambda x: _starts(x, b"\xff\xd8\xff"),
                lambda x: _without_extra(jpeg_segments.read_jpegs(x)),
                jpeg_segments.REFUSALS,
                self._jpeg,
            ),
            _Format(
                lambda x: _starts(x, b"\x89PNG\r\n\x1a\n"),
                _inspect_pngs,
                image_chunks.REFUSALS,
                lambda x, transparent: _rgb(decode_png(self._check(x), transparent)),
            ),
            _Format(
                lambda x: riff_form(tf.strings.substr(x, 0, 12)) == b"WEBP",
                lambda x: _without_extra(image_chunks.read_webps(x)),
                image_chunks.REFUSALS,
                lambda x: _rgb(decode_webp(self._check(x))),
            ),
            _Format(
                lambda x: _starts(x, b"GIF8"),
                _inspect_nothing,
                ("",),
                lambda x: _first_frame(self.max_pixels)(self._check(x)),
            ),
            _Format(
                lambda x: _starts(x, b"BM"),
                _inspect_nothing,
                ("",),
                lambda x: _rgb(decode_bmp(self._check(x))),
            ),
        ]

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

    def _check(self, encoded):
        return self._check_size(encoded, count_pixels(encoded))

    def _check_size(self, encoded, pixels):
        small = tf.debugging.Assert(
            pixels <= self.max_pixels,
            ["more pixels than allowed:", pixels, self.max_pixels],
        )
        with tf.control_dependencies([small]):
            return tf.identity(encoded)

    def _to_square(self, image):
        return _resize(self.size)(image)

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


@functools.lru_cache(maxsize=8)
def traced_decode(size: int, max_pixels: int) -> Callable[..., tf.Tensor]:
    """`Pixels.decode` as a function that a process traces once, which takes seconds.

    A call costs a little more than the operations in the graph of the caller.

    Args:
        size: As for `Pixels`.
        max_pixels: As for `Pixels`.
    """
    return tf.function(
        Pixels(size, max_pixels).decode,
        autograph=False,
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )


@functools.lru_cache(maxsize=8)
def _resize(size):
    """A function from `(height, width, 3)` uint8 to a square of this size."""

    @trace_once(tf.TensorSpec((None, None, 3), tf.uint8))
    def resize(image):
        square, sides = (size, size), tf.shape(image)[:2]
        ways = [
            lambda: tf.image.resize(image, square, "area"),
            lambda: tf.image.resize(image, square),
            # Smaller along one axis and larger along the other.
            lambda: tf.image.resize(image, square, antialias=True),
        ]
        smaller = tf.reduce_all(sides >= size)
        larger = tf.reduce_all(sides <= size)
        way = tf.where(smaller, 0, tf.where(larger, 1, 2))
        return tf.cast(tf.round(tf.switch_case(way, ways)), tf.uint8)

    return resize


@functools.lru_cache(maxsize=8)
def _first_frame(max_pixels):
    read = functools.partial(decode_first_frame, max_pixels=max_pixels)
    return trace_once(tf.TensorSpec((), tf.string))(read)


def _starts(encoded, magic):
    return tf.strings.substr(encoded, 0, len(magic)) == magic


def _without_extra(found):
    *others, refused = found
    return others[0], (), refused


def _inspect_pngs(encoded):
    orientation, transparent, refused = image_chunks.read_pngs(encoded)
    return orientation, (transparent,), refused


def _inspect_nothing(encoded):
    zeros = tf.zeros_like(encoded != "", tf.int32)
    return zeros + 1, (), zeros


def _rgb(image):
    """From 1 to 4 channels of uint8, gray or color, with alpha if even, to RGB."""
    shape = tf.shape(image)
    has_alpha = shape[2] % 2 == 0
    color = image[:, :, : shape[2] - tf.cast(has_alpha, tf.int32)]
    color = tf.broadcast_to(color, [shape[0], shape[1], 3])

    def on_white():
        # 16 bits hold every product of two bytes.
        alpha = tf.cast(image[:, :, -1:], tf.uint16)
        white = tf.cast(color, tf.uint16) * alpha + 255 * (255 - alpha)
        return tf.cast((white + 127) // 255, tf.uint8)

    image = tf.cond(has_alpha, on_white, lambda: color)
    return tf.ensure_shape(image, (None, None, 3))
