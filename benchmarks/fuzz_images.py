"""Images with valid headers and hostile middles, for `fuzz.py`.

A generator takes a `random.Random` and returns the bytes of one file. It builds the
file out of its segments: sizes that lie, segments in any order, many of them, unusual
codings, and pixels that are cut, random or packed many times over.
"""

import struct
import zlib

WHOLE = (0, 1, 2, 7, 8, 16, 24, 255, 256, 4_096, 65_535)


def side(rng):
    """A height or a width: mostly small, sometimes huge, rarely impossible."""
    if rng.random() < 0.8:
        return rng.randint(1, 40)
    return rng.choice((0, 1, 255, 3_000, 8_191, 16_383, 16_384, 65_535))


def lie(rng, true, most=2**32 - 1, often=0.05):
    """A number that is seldom the true one."""
    if rng.random() >= often:
        return min(true, most)
    wrong = rng.choice((true - 1, true + 1, 2 * true, 0, most, most // 2))
    return max(0, min(most, wrong))


def spoil(rng, data):
    """Sometimes cuts bytes, or changes one."""
    data = bytearray(data)
    how = rng.random()
    if how < 0.1 and data:
        del data[rng.randrange(len(data)) :]
    elif how < 0.25 and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how < 0.3:
        data += rng.randbytes(rng.choice(WHOLE))
    return bytes(data)


def exif(rng):
    """An EXIF block with an orientation, in either order of bytes, or a broken one."""
    order = rng.choice("<>")
    entries = [(0x112, rng.choice((1, 3, 3, 3, 4, 9)), 1, rng.randrange(12))]
    entries += [
        (
            rng.randrange(65_536),
            rng.randrange(13),
            rng.randrange(2**32),
            rng.randrange(2**32),
        )
        for _ in range(rng.choice((0, 0, 1, 5, 300)))
    ]
    rng.shuffle(entries)
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        order + "IH", lie(rng, 8), lie(rng, len(entries), 65_535)
    )
    for tag, kind, count, value in entries:
        block += struct.pack(order + "HHI", tag, kind, count)
        short = struct.pack(order + "HH", value % 65_536, 0)
        block += short if kind == 3 else struct.pack(order + "I", value)
    return spoil(rng, block)


def png(rng):
    """A PNG: any depth, color and chunks."""
    width, height = side(rng), side(rng)
    color = rng.choice((0, 2, 3, 4, 6))
    depth = rng.choice((1, 2, 4, 8, 16) if rng.random() < 0.3 else (8, 16))
    interlaced = rng.random() < 0.2
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    row = 1 + (width * channels * depth + 7) // 8
    size = min(row * height, 400_000)
    pixels = rng.randbytes(size) if rng.random() < 0.5 else bytes(size)
    if rng.random() < 0.7:  # filters that exist
        pixels = bytearray(pixels)
        for at in range(0, len(pixels), row):
            pixels[at] = rng.randrange(5)
    packed = zlib.compress(bytes(pixels), rng.choice((0, 1, 6)))
    header = struct.pack(
        ">IIBBBBB",
        width,
        height,
        lie(rng, depth, 255),
        lie(rng, color, 255),
        0,
        0,
        interlaced,
    )
    chunks = [(b"IHDR", header)]
    extra = [
        (b"PLTE", rng.randbytes(3 * rng.choice((1, 16, 256)))),
        (b"tRNS", rng.randbytes(rng.choice((1, 2, 6, 16, 256)))),
        (b"eXIf", exif(rng)),
        (b"sBIT", rng.randbytes(channels)),
        (b"bKGD", rng.randbytes(6)),
        (b"iCCP", b"p\0\0" + zlib.compress(bytes(rng.choice((10, 1_000_000))))),
        (b"zTXt", b"k\0\0" + zlib.compress(bytes(rng.choice((10, 7_000_000))))),
        (b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(10_000))),
        (b"acTL", struct.pack(">II", rng.randrange(1_000), 0)),
        (b"fcTL", rng.randbytes(26)),
        (rng.randbytes(4), rng.randbytes(rng.choice(WHOLE))),
    ]
    if color == 3 or rng.random() < 0.1:
        chunks.append(extra[0])
    chunks += rng.sample(extra[1:], rng.choice((0, 1, 1, 2, 4)))
    if rng.random() < 0.02:
        chunks += [extra[rng.choice((5, 6, 7, 8))]] * rng.choice((15, 17, 100))
    pieces = rng.choice((1, 1, 3, 50))
    step = max(1, -(-len(packed) // pieces))
    body = [(b"IDAT", packed[i : i + step]) for i in range(0, len(packed), step)]
    if rng.random() < 0.1:
        rng.shuffle(body)
    chunks += body
    chunks += rng.sample(extra, rng.choice((0, 0, 1)))
    chunks.append((b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        size = struct.pack(">I", lie(rng, len(content), often=0.01))
        check = lie(rng, zlib.crc32(name + content), often=0.01)
        data += size + name + content + struct.pack(">I", check)
    return spoil(rng, data)


def gif(rng):
    """A GIF: frames of any place and size, codes that are right or random."""
    width, height = side(rng), side(rng)
    bits = rng.randrange(8)
    has_palette = rng.random() < 0.8
    data = rng.choice((b"GIF89a", b"GIF87a", b"GIF8xx"))
    flags = 0x80 * has_palette | bits
    data += struct.pack("<HHBBB", width, height, flags, rng.randrange(256), 0)
    data += rng.randbytes(3 * 2 ** (bits + 1)) if has_palette else b""
    for _ in range(rng.choice((1, 1, 2, 5))):
        for _ in range(rng.choice((0, 1, 1, 2))):
            control = struct.pack("<BHB", rng.randrange(256), 0, rng.randrange(256))
            data += b"\x21\xf9" + bytes([lie(rng, 4, 255)]) + control + b"\0"
        if rng.random() < 0.1:
            data += (b"\x21\xfe" + blocks(rng, rng.randbytes(300))) * rng.choice(
                (1, 2_000)
            )
        inside = rng.random() < 0.7
        w, h = (width, height) if inside else (side(rng), side(rng))
        left, top = (0, 0) if inside else (side(rng) - 1 & 0xFFFF, 0)
        own = rng.random() < 0.3
        own_bits = rng.randrange(8)
        data += b"," + struct.pack("<HHHH", left, top, w, h)
        data += bytes([0x80 * own | 0x40 * (rng.random() < 0.3) | own_bits])
        data += rng.randbytes(3 * 2 ** (own_bits + 1)) if own else b""
        code_bits = rng.choice((2, bits + 1, 8, rng.randrange(256)))
        codes = lzw(rng, w * h, code_bits) if rng.random() < 0.7 else rng.randbytes(500)
        data += bytes([code_bits]) + blocks(rng, codes)
    return spoil(rng, data + b";" * (rng.random() < 0.9))


def blocks(rng, content):
    """Bytes in blocks of up to 255 with their sizes, and the empty block after them."""
    step = rng.choice((255, 255, 254, 1, 17))
    parts = [content[i : i + step] for i in range(0, len(content), step)]
    whole = b"".join(bytes([len(part)]) + part for part in parts)
    return whole + b"\0" * (rng.random() < 0.95)


def lzw(rng, pixels, bits):
    """Codes of as many random pixels, with a clear code often enough to stay small."""
    if not 1 <= bits <= 8:
        return rng.randbytes(100)
    clear, width = 1 << bits, bits + 1
    codes = []
    for i in range(min(pixels, 2_000)):
        if i % max(1, (1 << bits) - 2) == 0:
            codes.append(clear)
        codes.append(rng.randrange(clear))
    codes.append(clear + 1)
    number, size = 0, 0
    for code in codes:
        number |= code << size
        size += width
    return number.to_bytes(-(-size // 8), "little")


def bmp(rng):
    """A BMP: any header, bits, coding, masks and palette."""
    width, height = side(rng), side(rng)
    bits = rng.choice((1, 2, 4, 8, 16, 24, 32, 32, 64))
    header = rng.choice((12, 40, 40, 40, 52, 56, 64, 108, 124))
    coding = rng.choice((0, 0, 0, 1, 2, 3, 4, 5, 6))
    row = (width * bits + 31) // 32 * 4
    signed = -height if rng.random() < 0.3 else height
    if header == 12:
        body = struct.pack("<HHHH", width % 65_536, height % 65_536, 1, bits)
    else:
        colors = rng.choice((0, 0, 2, 256, 2**31))
        body = struct.pack(
            "<iiHHIIiiII",
            width,
            signed,
            1,
            lie(rng, bits, 65_535),
            coding,
            0,
            0,
            0,
            colors,
            0,
        )
        masks = rng.choice(
            (
                (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
                (0xF800, 0x7E0, 0x1F, 0),
                (0, 0, 0, 0),
            )
        )
        more = struct.pack("<IIII", *masks) + rng.randbytes(100)
        body += more[: max(header - 40, 16 if coding in (3, 6) else 0)]
    palette = rng.randbytes(4 * rng.choice((0, 2, 16, 256))) if bits <= 8 else b""
    size = min(row * height, 200_000)
    pixels = rng.randbytes(size) if rng.random() < 0.6 else bytes(size)
    start = lie(rng, 18 + len(body) + len(palette))
    head = b"BM" + struct.pack("<IHHI", lie(rng, start % 1_000 + size), 0, 0, start)
    data = head + struct.pack("<I", lie(rng, header)) + body + palette + pixels
    return spoil(rng, data)


def webp(rng):
    """A WebP: whole and animated ones, their chunks and flags changed."""
    import io

    from PIL import Image

    width, height = rng.randint(1, 40), rng.randint(1, 40)
    mode = rng.choice(("RGB", "RGBA"))
    size = width * height * len(mode)
    frames = [
        Image.frombytes(
            mode,
            (width, height),
            rng.randbytes(size) if rng.random() < 0.5 else bytes([i]) * size,
        )
        for i in range(rng.choice((1, 1, 2, 3)))
    ]
    file = io.BytesIO()
    options = dict(lossless=rng.random() < 0.5, method=0, quality=rng.randrange(101))
    if len(frames) > 1:
        options.update(save_all=True, append_images=frames[1:])
    if rng.random() < 0.3:
        options["exif"] = (b"Exif\0\0" + exif(rng))[:65_000]  # what a segment may have
    frames[0].save(file, "WEBP", **options)
    chunks = split_webp(file.getvalue())
    if rng.random() < 0.3:
        chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(chunks))
    if rng.random() < 0.2:
        rng.shuffle(chunks)
    if rng.random() < 0.2:
        del chunks[rng.randrange(len(chunks))]
    if rng.random() < 0.3:
        canvas = struct.pack("<I", side(rng))[:3] + struct.pack("<I", side(rng))[:3]
        flags = struct.pack("<I", rng.randrange(64))
        chunks.insert(rng.choice((0, 0, len(chunks))), (b"VP8X", flags + canvas))
    if rng.random() < 0.1:
        chunks.append((b"EXIF", exif(rng)))
    body = b""
    for name, content in chunks:
        content = bytearray(content)
        if content and rng.random() < 0.2:
            content[rng.randrange(min(len(content), 24))] = rng.randrange(256)
        pad = b"\0" * (len(content) % 2)
        body += name + struct.pack("<I", lie(rng, len(content))) + bytes(content) + pad
    body = b"WEBP" + body
    return spoil(rng, b"RIFF" + struct.pack("<I", lie(rng, len(body))) + body)


def split_webp(data):
    """The chunks of a WebP, `(name, content)`."""
    at, chunks = 12, []
    while at < len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def jpeg(rng):
    """A JPEG: its segments repeated, moved, changed, and scans added."""
    import io

    from PIL import Image

    width, height = rng.randint(1, 60), rng.randint(1, 60)
    mode = rng.choice(("RGB", "RGB", "L", "CMYK"))
    pixels = rng.randbytes(width * height * len({"L": "L"}.get(mode, mode)))
    image = Image.frombytes(mode, (width, height), pixels)
    file = io.BytesIO()
    options = dict(quality=rng.choice((1, 50, 95)), progressive=rng.random() < 0.4)
    if mode == "RGB":
        options["subsampling"] = rng.choice((0, 1, 2))
    if rng.random() < 0.3:
        options["exif"] = (b"Exif\0\0" + exif(rng))[:65_000]  # what a segment may have
    image.save(file, "JPEG", **options)
    segments = split_jpeg(file.getvalue())
    for _ in range(rng.choice((0, 0, 1, 2))):
        what = rng.randrange(6)
        at = rng.randrange(len(segments))
        if what == 0:
            segments.insert(rng.randrange(len(segments) + 1), segments[at])
        elif what == 1:
            del segments[at]
        elif what == 2:
            other = rng.randrange(len(segments))
            segments[at], segments[other] = segments[other], segments[at]
        elif what == 3:
            segments[at] = spoil(rng, segments[at])
        elif what == 4:
            scans = [s for s in segments if s[1:2] == b"\xda"] or segments
            segments[-1:-1] = [rng.choice(scans)[:40]] * rng.choice((3, 90, 110, 2_000))
        else:
            frames = [i for i, s in enumerate(segments) if s[1:2] in (b"\xc0", b"\xc2")]
            for i in frames:
                sides = struct.pack(">HH", side(rng), side(rng))
                segments[i] = segments[i][:5] + sides + segments[i][9:]
    if len(segments) > 1 and rng.random() < 0.1:
        fill = rng.choice((b"\xff", b"\xff\xd0", b"junk", b"\xff\xfe\0\2" * 3_000))
        segments.insert(rng.randrange(1, len(segments)), fill)
    return spoil(rng, b"\xff\xd8" + b"".join(segments))


def split_jpeg(data):
    """The segments of a JPEG after the first marker; those of scans with their bits."""
    at, segments = 2, []
    while at < len(data):
        end = at + 2
        if data[at + 1] != 0xD9:
            end += int.from_bytes(data[at + 2 : at + 4], "big")
        while data[at + 1] == 0xDA and end < len(data):
            if data[end] == 0xFF and data[end + 1] != 0:
                break
            end += 1
        segments.append(data[at:end])
        at = end
    return segments


def tiff(rng):
    """A TIFF of any mode and coding, some bytes of its directory changed."""
    import io

    from PIL import Image

    mode = rng.choice(("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LA"))
    image = Image.new(mode, (rng.randint(1, 40), rng.randint(1, 40)))
    file = io.BytesIO()
    codings = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
    image.save(file, "TIFF", compression=rng.choice(codings))
    data = bytearray(file.getvalue())
    start = int.from_bytes(data[4:8], "little")
    for _ in range(rng.choice((0, 1, 2))):
        at = start + rng.randrange(max(1, len(data) - start))
        data[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), rng.randbytes(4)))
    return spoil(rng, bytes(data))


GENERATORS = {
    "JPEG": jpeg,
    "PNG": png,
    "GIF": gif,
    "BMP": bmp,
    "WEBP": webp,
    "TIFF": tiff,
}
