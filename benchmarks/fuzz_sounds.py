"""Sounds with valid headers and hostile middles, for `fuzz.py`."""

import io
import struct

EXTREMES = (0, 1, 2, 3, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
RATES = (0, 1, 7, 4_000, 8_000, 11_025, 44_056, 192_000, 999_999, 2**31, 2**32 - 1)
# Number of a WAV's format, and bits of a sample, that exist.
CODINGS = (
    *((1, bits) for bits in (8, 12, 16, 20, 24, 32)),
    *((3, bits) for bits in (32, 64)),
    *((tag, 8) for tag in (6, 7)),
    *((tag, 4) for tag in (2, 0x11, 0x45, 0x64)),
    *((0x31, 0), (0x55, 0), (0x1234, 16)),
)
OTHERS = ("AIFF", "AU", "CAF", "RF64", "W64", "VOC", "NIST")
SUBTYPES = {
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
    "OGG": ("VORBIS", "OPUS"),
    "MP3": ("MPEG_LAYER_III",),
    "AIFF": ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "GSM610", "DWVW_16"),
    "AU": ("PCM_16", "DOUBLE", "ALAW", "G721_32", "G723_24"),
    "CAF": ("PCM_16", "FLOAT", "ULAW", "ALAC_16", "ALAC_24"),
    "RF64": ("PCM_16", "FLOAT", "ULAW"),
    "W64": ("PCM_16", "FLOAT", "IMA_ADPCM", "MS_ADPCM", "GSM610"),
    "VOC": ("PCM_U8", "PCM_16", "ULAW"),
    "NIST": ("PCM_16", "ULAW"),
}


def chunk(rng, name, content):
    """A chunk whose size and padding are right, as a rule."""
    size = len(content)
    if rng.random() < 0.03:
        size = rng.choice((*EXTREMES, size + 1, max(0, size - 1), 2 * size))
    padding = b"\0" * (len(content) % 2 if rng.random() < 0.98 else rng.randrange(4))
    return name + struct.pack("<I", size % 2**32) + content + padding


def layout(rng):
    """The inside of a `fmt ` chunk, and bytes of a sample of all channels."""
    tag, bits = rng.choice(CODINGS)
    if rng.random() < 0.05:
        tag, bits = rng.randrange(2**16), rng.randrange(2**16)
    channels = rng.choice((1, 1, 1, 1, 2, 2, 6))
    rate = rng.choice((8_000, 16_000, 44_056, 192_000))
    if rng.random() < 0.05:
        channels = rng.choice((0, 255, 1_025, 65_535))
    if rng.random() < 0.05:
        rate = rng.choice(RATES)
    frame = max(1, channels * bits // 8)
    if tag in (2, 0x11, 0x31, 0x45, 0x64):
        frame = rng.choice((65, 256, 1_024, 0, 1))
    align = frame if rng.random() < 0.9 else rng.choice(EXTREMES)
    second = rate * frame if rng.random() < 0.9 else rng.choice(EXTREMES)
    body = struct.pack("<HHII", tag, channels, rate, second % 2**32)
    body += struct.pack("<HH", align % 2**16, bits)
    how = rng.random()
    if how < 0.2:  # extensible
        body = struct.pack("<H", 0xFFFE) + body[2:]
        body += struct.pack("<HHIH", 22, bits, 4, tag) + bytes(14)
    elif how < 0.4:
        body += struct.pack(
            "<HH", rng.choice((2, 0, 32, 65_535)), rng.choice(EXTREMES) % 2**16
        )
        body += rng.randbytes(rng.choice((0, 0, 28, 32)))
    elif how < 0.42:
        body = body[: rng.randrange(len(body))]
    return body, frame


def wav(rng):
    """A WAV file: chunks in many orders, sizes that lie, samples of any bits."""
    body, frame = layout(rng)
    samples = rng.choice((0, 1, 3, 100, 500, 2_000, 2_000)) * frame
    sound = rng.randbytes(min(samples, 20_000) + rng.choice((0, 0, 0, 1)))
    if rng.random() < 0.2:
        sound = bytes(len(sound))
    chunks = [chunk(rng, b"fmt ", body), chunk(rng, b"data", sound)]
    for _ in range(rng.choice((0, 0, 0, 1, 2, 5, 5, 40, 2_000))):
        name = rng.choice((b"LIST", b"fact", b"bext", b"JUNK", b"\0\0\0\0", b"id3 "))
        content = rng.randbytes(rng.choice((0, 0, 1, 4, 64)))
        at = rng.randrange(len(chunks) + 1)
        chunks.insert(at, chunk(rng, name, content))
    how = rng.random()
    if how < 0.1:
        rng.shuffle(chunks)
    elif how < 0.2:
        chunks.append(rng.choice(chunks))
    elif how < 0.25:
        chunks.remove(rng.choice(chunks))
    inside = b"WAVE" + b"".join(chunks)
    size = len(inside) if rng.random() < 0.9 else rng.choice(EXTREMES)
    data = b"RIFF" + struct.pack("<I", size % 2**32) + inside
    if rng.random() < 0.1:
        data = data[: rng.randrange(12, len(data) + 1)]
    return data


def sound(kind):
    """A generator of files of a kind, with fields of their headers replaced."""

    def generate(rng):
        import numpy as np
        import soundfile

        subtype = rng.choice(SUBTYPES[kind])
        channels = rng.choice((1, 1, 2))
        rate = 48_000 if subtype == "OPUS" else rng.choice((8_000, 16_000, 44_100))
        if subtype in ("IMA_ADPCM", "GSM610", "DWVW_16", "G721_32", "G723_24"):
            channels = 1
        samples = rng.choice((0, 1, 2, 100, 4_000, 30_000))
        wave = np.random.default_rng(rng.randrange(2**32))
        wave = wave.uniform(-0.5, 0.5, (samples, channels)) * rng.choice((0, 1))
        file = io.BytesIO()
        soundfile.write(file, wave, rate, format=kind, subtype=subtype)
        data = bytearray(file.getvalue())
        order = rng.choice(("<", ">"))
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            if len(data) < 16:
                break
            # Fields are at even offsets, most of them in the first bytes.
            most = min(len(data) - 8, rng.choice((32, 64, 256, len(data) - 8)))
            at = rng.randrange(rng.choice((12, 4, 16)) % most, most + 1) & ~1
            how = rng.randrange(5)
            if how == 0:
                data[at : at + 4] = struct.pack(order + "I", rng.choice(EXTREMES))
            elif how == 1:
                data[at : at + 2] = struct.pack(
                    order + "H", rng.choice(EXTREMES) % 2**16
                )
            elif how == 2:
                data[at : at + 8] = struct.pack(order + "Q", rng.choice(EXTREMES) << 32)
            elif how == 3:  # a part once more
                data[at:at] = data[at : at + rng.choice((8, 64, 4_096))]
            else:
                del data[at : at + rng.choice((2, 8, 64, 4_096))]
        return sign_pages(data) if kind == "OGG" else bytes(data)

    return generate


def sign_pages(data):
    """OGG with right checksums: a page with a wrong one is not looked into."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - 27:
        size = 27 + data[at + 26]
        size += sum(data[at + 27 : at + size])
        data[at + 22 : at + 26] = bytes(4)
        remainder = 0
        for byte in data[at : at + size]:
            remainder = (remainder << 8 & 0xFFFFFFFF) ^ TABLE[remainder >> 24 ^ byte]
        data[at + 22 : at + 26] = struct.pack("<I", remainder)
        at = data.find(b"OggS", at + 4)
    return bytes(data)


def table():
    """The checksum of each byte: a polynomial of OGG's own."""
    values = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value >> 31 else 0)
        values.append(value)
    return values


TABLE = table()


GENERATORS = {"WAV": wav, **{kind: sound(kind) for kind in SUBTYPES}}
