"""What the header of a WAV file says, and whether graphs can decode the file."""

import dataclasses
import struct

_EXTENSIBLE = 0xFFFE
_MAX_CHUNKS = 128  # that are looked at, as in the graph
_STREAMED = 0x7FFF0000  # and above: left by a writer that could not go back
# Number of the format and bytes of a sample: PCM, float, A-law and mu-law.
_IN_GRAPHS = {(1, 1), (1, 2), (1, 3), (1, 4), (3, 4), (3, 8), (6, 1), (7, 1)}


@dataclasses.dataclass(frozen=True)
class Header:
    """Header of a WAV file.

    Args:
        coding: WAV's number of the format.
        channels: Number of channels.
        rate: Sample rate in hertz.
        width: Bytes of one sample.
        start: Where the samples begin, in bytes.
        size: How many bytes they have.
        layout: The inside of the `fmt ` chunk.
    """

    coding: int
    channels: int
    rate: int
    width: int
    start: int
    size: int
    layout: bytes

    @property
    def in_graphs(self) -> bool:
        """Whether graphs decode the coding."""
        return (self.coding, self.width) in _IN_GRAPHS


def read_header(data: bytes) -> Header | None:
    """Reads the header of a WAV file.

    Args:
        data: The bytes of the file.

    Returns:
        A `Header`; None without one, or where it comes after 128 other chunks.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    layout, found, at = b"", None, 12
    for _ in range(_MAX_CHUNKS):
        if len(data) < at + 8 or (layout and found):
            break
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt " and not layout:
            layout = data[at + 8 : at + 8 + min(size, 40)]
        elif name == b"data" and found is None:
            found = at + 8, size
        at += 8 + size + size % 2
    if len(layout) < 16 or found is None:
        return None
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", layout)
    if coding == _EXTENSIBLE and len(layout) >= 26:
        (coding,) = struct.unpack_from("<H", layout, 24)
    start, size = found
    left = len(data) - start
    if size == 0 or (size >= _STREAMED and size > left):
        size = left
    return Header(coding, channels, rate, -(-bits // 8), start, size, layout)


def shorten(data: bytes, header: Header, seconds: float) -> bytes:
    """The first seconds of a WAV file, as a WAV file.

    A graph copies the bytes of many files at once, so they hold no hours that it will
    cut.

    Args:
        data: The bytes of the file.
        header: Its header.
        seconds: How much is needed, or a little more.

    Returns:
        The file without most of its end; `data` where little would be gained, and where
        the file ends before its samples do.
    """
    frame = header.channels * header.width
    needed = (int(seconds * header.rate) + 2) * frame
    if header.start + header.size > len(data) or needed >= header.size // 2:
        return data
    sound = data[header.start : header.start + needed]
    inside = b"WAVE" + _chunk(b"fmt ", header.layout) + _chunk(b"data", sound)
    return _chunk(b"RIFF", inside)


def _chunk(name, content):
    return name + struct.pack("<I", len(content)) + content
