"""Images that no graph decodes, to PNG."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image
from PIL import features

from data_pipelines.formats import kinds
from data_pipelines.formats import picture
from data_pipelines.formats import picture_kinds

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 12, 3), "uint8")
WRITTEN = ["TIFF", "PPM", "QOI", "DDS", "ICO", "ICNS"]
OPTIONS = {"AVIF": {"quality": 100}, "JPEG2000": {"irreversible": False}}
WRITTEN += [
    n
    for n, name in (("AVIF", "avif"), ("JPEG2000", "jpg_2000"))
    if features.check(name)
]


def encode(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **{**OPTIONS.get(kind, {}), **options})
    return data.getvalue()


def read(data):
    png = picture.to_png(data)
    assert png.startswith(b"\x89PNG")
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize("kind", WRITTEN)
def test_an_image_becomes_a_png_of_the_same_pixels(kind):
    size = (16, 16) if kind in ("ICO", "ICNS") else (12, 10)
    image = Image.fromarray(PIXELS).resize(size)
    data = encode(image, kind)
    assert picture_kinds.format_of(data[:64]) == kind
    assert kinds.kind_of(data[: kinds.HEAD]) == "image"
    right = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    seen = np.asarray(read(data).convert("RGB"), int)
    assert np.abs(seen - right).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "LAB", "YCbCr"])
def test_every_mode_of_a_tiff(mode):
    image = Image.fromarray(PIXELS)
    if mode == "LAB":
        image = Image.new("LAB", (12, 10), (80, 128, 128))
    else:
        image = image.convert(mode)
    data = encode(image, "TIFF")
    right = np.asarray(
        Image.open(io.BytesIO(data)).convert("RGBA" if mode[-1] == "A" else "RGB")
    )
    seen = np.asarray(read(data).convert("RGBA" if mode[-1] == "A" else "RGB"))
    np.testing.assert_array_equal(seen, right)


@pytest.mark.parametrize(
    "values, right",
    [
        (np.linspace(0, 1, 100, dtype="f4"), np.linspace(0, 65_535, 100)),
        (np.linspace(0, 200, 100, dtype="f4"), np.linspace(0, 200 * 257, 100)),
        (np.linspace(-7, 9, 100, dtype="f4"), np.linspace(0, 65_535, 100)),
        (np.linspace(0, 2**30 - 1, 100).astype("i4"), np.linspace(0, 65_535, 100)),
        (np.linspace(0, 4_000, 100).astype("u2"), np.linspace(0, 4_000, 100)),
    ],
)  # fmt: skip
def test_numbers_of_more_than_8_bits_are_gray_of_16(values, right):
    data = encode(Image.fromarray(values.reshape(10, 10)), "TIFF")
    seen = np.asarray(read(data)).astype(float).reshape(-1)
    np.testing.assert_allclose(seen, right, atol=2)


def test_a_number_that_is_not_finite_is_dark():
    values = np.linspace(0, 1, 100, dtype="f4").reshape(10, 10)
    values[3, 3] = np.nan
    assert np.asarray(read(encode(Image.fromarray(values), "TIFF")))[3, 3] == 0


def test_a_tiff_is_upright():
    data = encode(Image.fromarray(PIXELS), "TIFF", tiffinfo={0x0112: 6})
    np.testing.assert_array_equal(np.asarray(read(data)), np.rot90(PIXELS, -1))


def test_of_several_pages_the_first_is_read():
    pages = [Image.fromarray(PIXELS), Image.new("RGB", (3, 3))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(np.asarray(read(data)), PIXELS)


def test_a_bmp_with_run_lengths_is_read():
    runs = b"".join(bytes([12, row, 0, 0]) for row in range(10)) + b"\0\1"
    palette = np.repeat(np.arange(256, dtype="uint8"), 4).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 12, 10, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(head) + len(palette)
    file = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start)
    seen = np.asarray(read(file + head + palette + runs).convert("L"))
    np.testing.assert_array_equal(seen, np.repeat(np.arange(9, -1, -1)[:, None], 12, 1))


@pytest.mark.parametrize("alpha", [False, True])
def test_of_an_animated_webp_the_first_frame_is_read(alpha):
    first, second = Image.fromarray(PIXELS), Image.new("RGB", (12, 10))
    if alpha:
        first.putalpha(99)
    data = encode(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    mode = first.mode
    seen = np.asarray(read(data).convert(mode))
    right = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    np.testing.assert_array_equal(seen, right)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_what_graphs_decode_does_not_change(kind):
    data = encode(Image.fromarray(PIXELS), kind)
    assert picture.to_png(data) is data


@pytest.mark.parametrize(
    "data, why",
    [
        (b'<?xml version="1.0"?>\n<svg width="9" height="9"/>', "SVG"),
        (b"\xef\xbb\xbf<svg xmlns='x'>", "SVG"),
        (b"\xff\x0a\x00\x90\x01", "JPEG XL"),
        (encode(Image.fromarray(PIXELS), "TIFF")[:-200], "TIFF"),
        (b"II*\0\xff\xff\xff\xff", "TIFF"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_by_the_name_of_its_format(data, why):
    assert kinds.kind_of(data[: kinds.HEAD]) == "image"
    with pytest.raises(ValueError, match=why):
        picture.to_png(data)


def test_a_heic_image_names_what_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"HEIC.*mbm-keras\[pictures\]"):
        picture.to_png(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def test_an_image_that_would_fill_the_memory_is_refused_by_its_header():
    data = encode(Image.fromarray(PIXELS), "TIFF")
    with pytest.raises(ValueError, match="more pixels than allowed: 120 119"):
        picture.to_png(data, max_pixels=119)
    huge = encode(Image.fromarray(PIXELS), "PPM").replace(b"12 10", b"99999 99999")
    with pytest.raises(ValueError, match="PPM|more pixels"):
        picture.to_png(huge)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_what_graphs_decode_may_end_anywhere(kind):
    data = encode(Image.fromarray(PIXELS), kind)
    for size in range(40):
        assert picture.to_png(data[:size]) == data[:size]


@pytest.mark.parametrize("data", [b"", b"junk", b"II*\0", b"\x89PNG\r\n\x1a\n"])
def test_the_size_of_a_broken_image_is_unknown(data):
    assert picture.size_of(data) is None


def test_the_size_is_in_the_header():
    data = encode(Image.fromarray(PIXELS), "PNG")
    assert picture.size_of(data) == (12, 10)
    bomb = data[:16] + struct.pack(">II", 60_000, 60_000) + data[24:]
    assert picture.size_of(bomb) is None  # Pillow refuses it


@pytest.mark.parametrize(
    "head, name",
    [
        (b"\0\0\0\x1cftypavif\0\0\0\0avif", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomavc1", None),
        (b"BM and so on, a sentence of text", None),
        (b"P2 is a plan, not an image", None),
        (b"<?xml version='1.0'?><rss></rss>", None),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    ],
)  # fmt: skip
def test_the_format_by_the_first_bytes(head, name):
    assert picture_kinds.format_of(head) == name


def test_an_image_larger_than_any_model_takes_is_averaged(monkeypatch):
    monkeypatch.setattr(picture, "_ENOUGH", 30)
    small = np.asarray(read(encode(Image.fromarray(PIXELS), "TIFF")), "float32")
    means = PIXELS.reshape(5, 2, 6, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means, atol=1)


def test_an_image_with_a_very_long_side_is_refused():
    data = encode(Image.new("L", (70_000, 1)), "TIFF")
    with pytest.raises(ValueError, match="70000 x 1 pixels; a side may have 65,535"):
        picture.to_png(data)
