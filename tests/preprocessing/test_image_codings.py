"""Pixels of unusual and hostile images: as Pillow sees them, or corrupt.

All are decoded in one batch of two: tracing the decoders takes longer than decoding.
"""

import io
import random
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from PIL import ImageOps

from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import image_chunks
from mbm_keras.preprocessing import jpeg_segments
from tests.helpers import assert_corrupt

SIDE = 16


def smooth(mode="RGB", size=(SIDE, SIDE)):
    """An image that has no symmetry."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
    image = Image.fromarray(np.uint8(np.stack([200 * x, 200 * y, 255 * x * y], 2)))
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(np.uint8(255 * x)))
    return image.convert(mode)


def encode(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def jpeg(mode="RGB", **options):
    return encode(smooth(mode), "JPEG", quality=95, **options)


def on_white(data):
    """How Pillow shows a file: upright, on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB")).astype(int)


def exif(orientation, order="<"):
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    for tag, value in ((0x10F, 3), (0x112, orientation)):
        block += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
    return b"Exif\0\0" + block + bytes(4)


def chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(pixels, color, depth, *chunks, after=()):
    """A PNG of rows of bytes."""
    height, row = pixels.shape
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    header = struct.pack(
        ">IIBBBBB", row * 8 // (depth * channels), height, depth, color, 0, 0, 0
    )
    body = zlib.compress(b"".join(b"\0" + line.tobytes() for line in pixels))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep_png(values, *chunks):
    """A gray PNG of 16 bits."""
    return png(values.astype(">u2").view("u1"), 0, 16, *chunks)


def bmp(bits, pixels, coding=0, palette=b"", masks=b"", height=SIDE, header=40):
    start = 14 + header + len(masks) + len(palette)
    head = struct.pack(
        "<IiiHHIIiiII", header, SIDE, height, 1, bits, coding, 0, 0, 0, 0, 0
    )
    if header == 12:
        head = struct.pack("<IHHHH", header, SIDE, height, 1, bits)
    file = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return b"BM" + file + head + masks + palette + pixels


def animated(mode="RGB", size=(SIDE, SIDE), frames=2):
    first = smooth(mode, size)
    more = [Image.new(mode, size, i) for i in range(1, frames)]
    return encode(first, "WEBP", save_all=True, append_images=more, lossless=True)


RAMP = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
NOISE = np.random.default_rng(0).integers(0, 256, 8_000, "uint8").tobytes()
COLORS = np.random.default_rng(1).integers(0, 256, (256, 4), "uint8")
COLORS[:, 3] = 0
PALETTE = np.ascontiguousarray(COLORS[:, :3]).tobytes()
ROWS = NOISE[: SIDE * SIDE * 3]
CORNER = smooth(size=(8, 8)).quantize(200)
FEW, BLACK = smooth().quantize(200), Image.new("P", (SIDE, SIDE))
BITS = RAMP[:, :2].astype("u1") * 37
MASKS = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
AT = (3, 4)

SEEN_BY_PILLOW = {
    **{f"JPEG {mode}": jpeg(mode) for mode in ("CMYK", "L")},
    "JPEG progressive": jpeg(progressive=True),
    **{f"JPEG turned {n}": jpeg(exif=exif(n)) for n in range(10)},
    **{f"JPEG big-endian {n}": jpeg(exif=exif(n, ">")) for n in range(2, 9)},
    "PNG turned": encode(smooth(), "PNG", exif=exif(6)),
    "WEBP turned": encode(smooth(), "WEBP", quality=100, exif=exif(8)),
    **{f"PNG {mode}": encode(smooth(mode), "PNG") for mode in ("LA", "RGBA", "1")},
    "PNG palette, transparent": encode(smooth().quantize(9), "PNG", transparency=3),
    "PNG gray, transparent": encode(smooth("L"), "PNG", transparency=100),
    "PNG RGB, transparent": encode(smooth(), "PNG", transparency=smooth().getpixel(AT)),
    "PNG 1 bit, transparent": png(BITS, 0, 1, (b"tRNS", b"\0\1")),
    "PNG 2 bits": png(RAMP[:, :4].astype("u1"), 0, 2),
    "PNG 4 bits, palette": png(RAMP[:, :8].astype("u1"), 3, 4, (b"PLTE", PALETTE[:48])),
    "PNG 16 bits, RGB": png(np.frombuffer(ROWS * 2, "u1").reshape(SIDE, -1), 2, 16),
    **{f"GIF {n}": encode(FEW, "GIF", interlace=n) for n in (0, 1)},
    "GIF transparent": encode(FEW, "GIF", transparency=FEW.getpixel(AT)),
    "GIF animated": encode(FEW, "GIF", save_all=True, append_images=[BLACK]),
    "WEBP RGBA": encode(smooth("RGBA"), "WEBP", lossless=True, exact=True),
    **{f"BMP {mode}": encode(smooth(mode), "BMP") for mode in ("1", "L", "P", "RGB")},
    "BMP 4 bits": bmp(4, NOISE[: SIDE * 8], palette=COLORS[:16].tobytes()),
    "BMP 16 bits": bmp(16, NOISE[: SIDE * SIDE * 2]),
    "BMP 16 bits, 565": bmp(16, NOISE[: SIDE * SIDE * 2], 3, masks=MASKS),
    "BMP 32 bits": bmp(32, NOISE[: SIDE * SIDE * 4]),
    "BMP top down": bmp(24, ROWS, height=-SIDE),
    "BMP with more at its end": bmp(24, ROWS) + b"more",
    "BMP of OS/2": bmp(8, NOISE[: SIDE * SIDE], palette=PALETTE, header=12),
}  # fmt: skip

HUGE_FRAME = b",\0\0\0\0\xff\xff\xff\xff"
bomb = bytearray(animated())
bomb[24:30] = b"\xff\x3f\0\xff\x3f\0"  # 16,384 x 16,384
progressive = SEEN_BY_PILLOW["JPEG progressive"]
scan = progressive[progressive.rindex(b"\xff\xda") : -2]
text = b"k\0\0" + zlib.compress(bytes(100))
REFUSED = {
    "a JPEG of many scans": (progressive[:-2] + 100 * scan + b"\xff\xd9", "scans"),
    "a PNG of many texts": (
        png(RAMP.astype("u1"), 0, 8, after=[(b"zTXt", text)] * 17), "compressed texts"),
    "an animation with a huge canvas": (bytes(bomb), "more pixels"),
    "an animation": (animated(), "animated WebP"),
    "an animation with alpha": (animated("RGBA"), "animated WebP"),
    "a GIF of a huge frame": (
        SEEN_BY_PILLOW["GIF 0"].replace(b",\0\0\0\0\x10\0\x10\0", HUGE_FRAME),
        "more pixels"),
    "a GIF without a frame": (b"GIF89a\x10\0\x10\0\0\0\0;", "no frame"),
    "a GIF that ends early": (SEEN_BY_PILLOW["GIF 0"][:-20], "ends early"),
    "a BMP that ends early": (bmp(24, ROWS[:-1]), "ends early"),
    "a BMP of no pixels": (bmp(24, ROWS, height=0), "no pixels"),
    "a BMP with run lengths": (bmp(8, NOISE[:256], 1), "not read"),
    "a BMP of 7 bits": (bmp(7, ROWS), "cannot have"),
    "a TIFF": (encode(smooth(), "TIFF"), "not a JPEG"),
}  # fmt: skip


@pytest.fixture(scope="module")
def decoded():
    """Arrays and status by name, decoded by one function in two batches."""
    pixels = Pixels(SIDE)
    decode = tf.function(
        lambda x: pixels.decode(x), [tf.TensorSpec((None,), tf.string)], autograph=False
    )
    files = {**SEEN_BY_PILLOW, **{n: data for n, (data, _) in REFUSED.items()}}
    found = {}
    for kind in range(2):  # the refused ones in both
        names = [n for i, n in enumerate(files) if n in REFUSED or i % 2 == kind]
        arrays, valid = decode([files[n] for n in names])
        found |= {
            name: (array, bool(ok))
            for name, array, ok in zip(names, arrays.numpy(), valid, strict=True)
        }
    return decode, found


@pytest.mark.parametrize("name", SEEN_BY_PILLOW)
def test_an_image_is_as_pillow_shows_it(decoded, name):
    array, valid = decoded[1][name]
    assert valid
    right = on_white(SEEN_BY_PILLOW[name])
    assert np.abs(array.astype(int) - right).mean() < 2.5


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_image_is_corrupt_and_says_why(decoded, name):
    array, valid = decoded[1][name]
    assert not valid and not array.any()
    data, why = REFUSED[name]
    assert why in Pixels(SIDE).explain(data)


def test_an_image_of_segments_without_end_is_corrupt(monkeypatch, eagerly):
    monkeypatch.setattr(jpeg_segments, "MAX_SEGMENTS", 30)
    monkeypatch.setattr(image_chunks, "MAX_CHUNKS", 30)
    comments = progressive[:2] + b"\xff\xfe\0\2" * 40 + progressive[2:]
    assert_corrupt(Pixels(SIDE), comments, "segments in a JPEG")
    texts = png(RAMP.astype("u1"), 0, 8, after=[(b"teXt", b"")] * 40)
    assert_corrupt(Pixels(SIDE), texts, "chunks")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_of_16_bits_the_highest_eight_that_are_used_are_seen(decoded, bits):
    values = RAMP * 2**bits // RAMP.size
    array, valid = (x.numpy()[0] for x in decoded[0]([deep_png(values)]))
    assert valid
    right = values / values.max() * 255
    assert np.abs(array[:, :, 0] - right).max() <= 2


def test_alpha_of_16_bits_does_not_depend_on_the_colors(decoded):
    values = np.stack([RAMP * 16, np.full_like(RAMP, 0x8000)], axis=2)
    data = png(values.astype(">u2").reshape(SIDE, -1).view("u1"), 4, 16)
    array = decoded[0]([data])[0].numpy()[0, :, :, 0]
    right = (values[:, :, 0] / 16 + 255) / 2
    assert np.abs(array - right).max() <= 2


def test_a_gif_frame_smaller_than_the_image_is_on_white(decoded):
    data = encode(CORNER, "GIF")
    data = data.replace(b"GIF87a\x08\0\x08\0", b"GIF87a\x10\0\x10\0")
    array, valid = (x.numpy()[0] for x in decoded[0]([data]))
    assert valid and (array[8:] == 255).all() and (array[:, 8:] == 255).all()
    right = np.asarray(CORNER.convert("RGB")).astype(int)
    np.testing.assert_array_equal(array[:8, :8], right)


def test_a_gif_without_a_palette_is_gray(decoded):
    data = encode(Image.fromarray(RAMP.astype("uint8")), "GIF")
    bare = data[:10] + b"\0" + data[11:13] + data[13 + 768 :]
    array, valid = (x.numpy()[0] for x in decoded[0]([bare]))
    assert valid
    np.testing.assert_array_equal(array[:, :, 0], RAMP)


def test_alpha_of_a_bmp_that_is_zero_everywhere_is_not_used(decoded):
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = np.frombuffer(NOISE[: SIDE * SIDE * 4], "u1").reshape(SIDE, SIDE, 4).copy()
    pixels[:, :, 3] = 0
    data = bmp(32, pixels.tobytes(), 6, masks=masks)
    array = decoded[0]([data])[0].numpy()[0]
    np.testing.assert_array_equal(array, pixels[::-1, :, 2::-1])


def test_bytes_of_hostile_images_never_end_the_process(decoded):
    rng = random.Random(0)
    files = []
    for _ in range(400):
        data = bytearray(rng.choice(list(SEEN_BY_PILLOW.values())))
        for _ in range(rng.choice((1, 3, 9))):
            data[rng.randrange(min(len(data), 200))] = rng.randrange(256)
        files.append(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
    arrays, valid = decoded[0](files)
    assert 0 < valid.numpy().sum() < len(files)
    assert not arrays.numpy()[~valid.numpy()].any()
