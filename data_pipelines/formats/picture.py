"""Images that no graph decodes, to PNG, which graphs decode. Pillow reads them."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from data_pipelines.formats import picture_kinds

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
_MAX_SIDE = 65_535  # pixels; graphs read no PNG of more than a million
_ENOUGH = 16_000_000  # pixels; more of them are averaged, no model takes as many
_HEAD = 4_096  # bytes in which a drawing says that it is one
_IN_GRAPHS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
_NOT_READ = ("JPEG XL", "SVG")
_EXTRA = "Install it with `pip install 'mbm-keras[pictures]'`."


def to_png(data: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    """Turns an image that graphs do not decode into a PNG.

    TIFF, AVIF, HEIC, JPEG 2000, ICO, PSD, PNM, QOI, ICNS, DDS, animated WebP, and BMP
    with run-length coding; of several images in a file the first one, upright. Numbers
    of 32 bits and floats are scaled: floats in [0, 1] and [0, 255] by these, others by
    their range.

    Args:
        data: The bytes of a file.
        max_pixels: The most that the image may have.

    Returns:
        PNG bytes. JPEG, PNG, GIF, other WebP and BMP, and unknown bytes are returned
        unchanged.

    Raises:
        ValueError: If the image cannot be read, or is larger than allowed.
    """
    name = picture_kinds.format_of(data[:_HEAD])
    if name is None or (name in _IN_GRAPHS and not _needs_pillow(data, name)):
        return data
    if name in _NOT_READ:
        raise ValueError(f"an image in the format {name} is not read; save it as PNG")
    _prepare(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _open(data, name) as image:
                width, height = image.size
                if width * height <= max_pixels and max(image.size) <= _MAX_SIDE:
                    return _encode(image)
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they meet
        reason = str(error) or type(error).__name__
        if "BytesIO" in reason:  # Pillow names the file by its address
            reason = "its header is damaged"
        raise ValueError(f"a {name} image that cannot be decoded: {reason}") from None
    if max(width, height) > _MAX_SIDE:
        raise ValueError(f"{width} x {height} pixels; a side may have {_MAX_SIDE:,}")
    raise ValueError(f"more pixels than allowed: {width * height} {max_pixels}")


def how_read(name: str) -> str:
    """How images in a format, a key of `picture_kinds.SUFFIXES`, are read; in words."""
    if name in _IN_GRAPHS:
        return "as it is"
    if name in _NOT_READ:
        return "not read"
    extra = ", with `mbm-keras[pictures]`" if name == "HEIF" else ""
    return f"as PNG{extra}"


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height of an image by its header, None if it cannot be read."""
    name = picture_kinds.format_of(data[:_HEAD])
    if name is None or name in _NOT_READ:
        return None
    try:
        _prepare(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _open(data, name) as image:
                return image.size
    except Exception:  # noqa: BLE001 - decoding reports what is wrong with it
        return None


def _open(data, name):
    from PIL import Image

    # By name, and no other: among Pillow's formats are some that run a program.
    return Image.open(io.BytesIO(data), formats=[name])


def _needs_pillow(data, name):
    """Whether graphs do not decode a file of a format that they decode."""
    if name == "WEBP":  # the flag of an animation
        return data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 2)
    coding = int.from_bytes(data[30:34], "little")
    return name == "BMP" and data[14] >= 40 and coding in (1, 2)


def _prepare(name):
    """Raises unless what reads the format is installed."""
    from PIL import features

    if name == "AVIF" and not features.check("avif"):
        raise ValueError(f"an AVIF image is read by Pillow 11.3 or later. {_EXTRA}")
    if name == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            reason = f"a HEIC image is read by pillow-heif. {_EXTRA}"
            raise ValueError(reason) from None
        pillow_heif.register_heif_opener()


def _encode(image: Image.Image) -> bytes:
    from PIL import ImageOps

    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        image = _scale(image)
    elif image.mode.startswith("I;16"):
        image = _to_image(np.asarray(image).astype(np.uint16))
    elif image.mode in ("P", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        image = image.convert("RGB")
    factor = math.ceil(math.sqrt(image.width * image.height / _ENOUGH))
    if factor > 1 and image.mode in ("L", "LA", "RGB", "RGBA"):
        image = image.reduce(factor)
    file = io.BytesIO()
    image.info.clear()  # no profile and no note: pixels alone
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _scale(image):
    """Numbers of 32 bits or floats to gray."""
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0, 0)
    if image.mode == "F" and low >= 0 and high <= 255:
        low, high = 0, 1 if high <= 1 else 255
    elif image.mode == "I" and low >= 0:
        low, high = 0, 2 ** max(8, int(high).bit_length()) - 1
    values = np.nan_to_num(values.astype(np.float32), nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (65_535 / max(high - low, 1e-30))
    return _to_image(np.clip(np.rint(scaled), 0, 65_535).astype(np.uint16))


def _to_image(values):
    from PIL import Image

    return Image.fromarray(values)
