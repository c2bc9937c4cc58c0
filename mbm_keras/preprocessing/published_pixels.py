"""One encoded image to the pixels that a published encoder was trained on."""

from collections.abc import Sequence
from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.image import Pixels

# Kernels of TensorFlow by Pillow's filters; those in the order of Pillow's numbers.
_KERNELS = {"bicubic": "keyscubic", "bilinear": "triangle", "lanczos": "lanczos3"}
_REACH = 3.0  # of the widest kernel, in pixels of the larger image
FILTERS = ("nearest", "lanczos", "bilinear", "bicubic")
# These read a size that is a plain number as that of the shorter side.
_BY_SHORTER_SIDE = ("Bit", "CLIP", "ChineseCLIP")


class PublishedPixels(tf.Module):
    """Decodes an image, resizes and normalizes it as its encoder was trained.

    Files are read and turned upright as by `Pixels`. The filters are Pillow's: each
    axis is resized on its own and rounded to whole levels.

    Source: the image processors of `transformers`, which it equals to one level of 255.
    Deviation: a transparent image is laid on white, where Pillow drops the
    transparency.

    Args:
        size: Height and width of the output, in pixels.
        resize_to: Length in pixels to which the image is resized before a square of
            `size` is cut out of its center; None for `size`.
        keep_shape: True if `resize_to` is the length of the shorter side and the image
            keeps its shape; False to stretch both sides to it.
        resample: Filter, one of `FILTERS`.
        mean: Mean of each channel, after the scale.
        std: Standard deviation of each channel, after the scale.
        scale: Factor of the levels in [0, 255] before the mean is taken away.
        max_pixels: As for `Pixels`.

    Returns:
        From the bytes of a file, `(size, size, 3)` float32, `(scale x - mean) / std`.

    Raises:
        ValueError: If a size is not positive, `resize_to` is below `size`, or the
            filter is unknown.
    """

    modality = "image"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        size: int,
        resize_to: int | None = None,
        keep_shape: bool = False,
        resample: str = "bicubic",
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        scale: float = 1 / 255,
        max_pixels: int = 50_000_000,
    ):
        super().__init__(name="published_pixels")
        self.size = size
        self.resize_to = size if resize_to is None else resize_to
        self.keep_shape = keep_shape
        self.resample = resample
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.scale = scale
        self.max_pixels = max_pixels
        if not 1 <= size <= self.resize_to or resample not in FILTERS:
            raise ValueError(
                f"Expected 1 <= size <= resize_to, and a filter: {', '.join(FILTERS)}. "
                f"Received: size={size}, resize_to={resize_to}, resample={resample!r}."
            )
        self.levels = _Levels(size, self.resize_to, keep_shape, resample, max_pixels)
        self.array = tf.TensorSpec((size, size, 3), tf.float32)

    @classmethod
    def from_processor(cls, config: dict) -> Self:
        """Builds it from the `preprocessor_config.json` of a published model.

        Args:
            config: What the file has.

        Raises:
            ValueError: If it has no size or no mean, its output is not a square, or its
                filter is unknown.
        """
        kind = config.get("image_processor_type", config.get("feature_extractor_type"))
        shorter = str(kind).startswith(_BY_SHORTER_SIDE)
        crops = config.get("do_center_crop", "crop_size" in config and shorter)
        resize_to, keep_shape = _side(config.get("size"), shorter)
        size = _side(config.get("crop_size"), False)[0] if crops else resize_to
        if keep_shape and not crops or not config.get("do_resize", True):
            raise ValueError(
                "Expected images that are resized, and cut to a square or stretched. "
                f"Received: size={config.get('size')}, do_center_crop={crops}, "
                f"do_resize={config.get('do_resize')}."
            )
        mean, std = _statistics(config)
        rescales = config.get("do_rescale", True)
        return cls(
            size,
            resize_to,
            keep_shape,
            _filter(config.get("resample")),
            mean,
            std,
            config.get("rescale_factor", 1 / 255) if rescales else 1.0,
        )

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Files to `(batch, size, size, 3)` float32; and which were decoded."""
        levels, decoded = self.levels.decode(batch)
        pixels = tf.cast(levels, tf.float32) * self.scale
        pixels = (pixels - tf.constant(self.mean)) / tf.constant(self.std)
        return tf.where(decoded[:, None, None, None], pixels, 0.0), decoded

    def explain(self, value: bytes) -> str:
        """Why a file cannot be decoded."""
        return self.levels.explain(value)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`size`: height and width."""
        return {"size": self.size}

    def config(self) -> dict:
        """The arguments."""
        return {
            "size": self.size,
            "resize_to": self.resize_to,
            "keep_shape": self.keep_shape,
            "resample": self.resample,
            "mean": self.mean,
            "std": self.std,
            "scale": self.scale,
            "max_pixels": self.max_pixels,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


class _Levels(Pixels):
    """The resized image in [0, 255], uint8."""

    def __init__(self, size, resize_to, keep_shape, resample, max_pixels):
        super().__init__(size, max_pixels)
        self._resize_to = resize_to
        self._keep_shape = keep_shape
        self._resample = resample

    def _jpeg(self, encoded):
        # As libjpeg decodes by default, and Pillow; TensorFlow's default is coarser.
        shape = tf.io.extract_jpeg_shape(encoded)[:2]
        encoded = self._check_size(encoded, tf.reduce_prod(tf.cast(shape, tf.int64)))
        return tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE")

    def _to_square(self, image):
        sides = tf.shape(image)[:2]
        new = tf.fill([2], self._resize_to)
        if self._keep_shape:
            short = tf.cast(tf.reduce_min(sides), tf.float64)
            new = self._resize_to * tf.cast(sides, tf.float64) / short
            new = tf.cast(new, tf.int32)
        square = tf.fill([2], self.size)
        image = resize_as_pillow(
            image, new, self._resample, first=(new - square) // 2, length=square
        )
        return tf.ensure_shape(image, (self.size, self.size, 3))


def resize_as_pillow(
    image: tf.Tensor,
    size: tf.Tensor,
    resample: str,
    first: tf.Tensor | None = None,
    length: tf.Tensor | None = None,
) -> tf.Tensor:
    """Resizes an image as Pillow does, to one level, and cuts a part out of it.

    Only that part is computed: an image of one row may become millions of columns.

    Args:
        image: `(height, width, 3)` uint8.
        size: `(2,)` int32, new height and width.
        resample: One of `FILTERS`.
        first: `(2,)` int32, row and column where the part begins; None for 0.
        length: `(2,)` int32, height and width of the part; None for all.

    Returns:
        `(*length, 3)` uint8.
    """
    first = tf.zeros_like(size) if first is None else first
    length = size if length is None else length
    image, scale, offset = _cut_source(image, size, first, length)
    if resample == "nearest":
        return _nearest(image, scale, offset, length)
    # Columns, then rows; but rows first if there will be fewer rows and more columns.
    rows_first = (scale[0] < 1) & (scale[1] > 1)
    for rows in (rows_first, ~rows_first):
        axis = tf.stack([rows, ~rows])  # which of the two is resized
        resized = tf.raw_ops.ScaleAndTranslate(
            images=image[None],
            size=tf.where(axis, length, tf.shape(image)[:2]),
            scale=tf.cast(tf.where(axis, scale, tf.ones_like(scale)), tf.float32),
            translation=tf.cast(
                tf.where(axis, -offset, tf.zeros_like(offset)), tf.float32
            ),
            kernel_type=_KERNELS[resample],
            antialias=True,
        )[0]
        resized = tf.clip_by_value(tf.floor(resized + 0.5), 0.0, 255.0)
        image = tf.cast(resized, tf.uint8)
    return image


def _cut_source(image, size, first, length):
    """The part of an image that a part of the new image depends on.

    Returns it, the scale of rows and columns, float64, and where the part of the new
    image begins in the resized part of the old one.
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    scale = tf.cast(size, tf.float64) / sides
    first, length = tf.cast(first, tf.float64), tf.cast(length, tf.float64)
    margin = _REACH * tf.maximum(1.0 / scale, 1.0) + 1.0
    low = tf.maximum(tf.floor(first / scale - margin), 0.0)
    high = tf.minimum(tf.math.ceil((first + length) / scale + margin), sides)
    offset = first - low * scale
    low, high = tf.cast(low, tf.int32), tf.cast(high, tf.int32)
    return image[low[0] : high[0], low[1] : high[1]], scale, offset


def _nearest(image, scale, offset, length):
    for axis in range(2):
        center = tf.cast(tf.range(length[axis]), tf.float64) + offset[axis] + 0.5
        index = tf.cast(tf.floor(center / scale[axis]), tf.int32)
        index = tf.minimum(index, tf.shape(image)[axis] - 1)
        image = tf.gather(image, index, axis=axis)
    return image


def _side(size, shorter):
    """The length that a size names, and whether it is that of the shorter side."""
    if isinstance(size, int):
        return size, shorter
    if isinstance(size, dict) and set(size) == {"shortest_edge"}:
        return size["shortest_edge"], True
    if isinstance(size, dict) and size.get("height") == size.get("width") is not None:
        return size["height"], False
    raise ValueError(
        f"Expected the size of a square, or of the shorter side. Received: size={size}."
    )


def _statistics(config):
    """Mean and standard deviation of the channels."""
    if not config.get("do_normalize", True):
        return (0.0,) * 3, (1.0,) * 3
    mean, std = config.get("image_mean"), config.get("image_std")
    if mean is None or std is None or len(mean) != 3 or len(std) != 3:
        raise ValueError(
            "Expected image_mean and image_std of three channels. "
            f"Received: image_mean={mean}, image_std={std}."
        )
    return mean, std


def _filter(resample):
    if isinstance(resample, int) and 0 <= resample < len(FILTERS):
        return FILTERS[resample]
    raise ValueError(
        f"Expected a filter of Pillow, 0 to {len(FILTERS) - 1}. "
        f"Received: resample={resample!r}."
    )
