"""What the bytes of a sound file are: its format, and FFmpeg's name of it."""

SUFFIXES = (
    ".8svx", ".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a",
    ".m4b", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".voc",
    ".w64", ".wav", ".weba",
)  # fmt: skip

# Formats that libsndfile reads, by their first bytes: the name, FFmpeg's name of the
# container for codings that libsndfile does not know, and the usual suffix.
_FORMATS = {
    b"fLaC": ("FLAC", "flac", "flac"),
    b"OggS": ("OGG", "ogg", "ogg"),
    b"caff\0": ("CAF", "caf", "caf"),
    b".snd\0": ("AU", "au", "au"),
    b"NIST_1A": ("NIST", "nistsphere", "sph"),
    b"Creative Voice File": ("VOC", "voc", "voc"),
    b"riff\x2e\x91\xcf\x11": ("W64", "w64", "w64"),
    **{b"ID3" + bytes([version]): ("MP3", "mp3", "mp3") for version in (2, 3, 4)},
}
# The same, of formats in chunks: the first bytes, and those after the size.
_IN_CHUNKS = {
    (b"RIFF", b"WAVE"): ("WAV", "wav", "wav"),
    (b"RIFX", b"WAVE"): ("WAV", None, "wav"),
    (b"RF64", b"WAVE"): ("RF64", "wav", "rf64"),
    (b"BW64", b"WAVE"): ("RF64", "wav", "rf64"),
    (b"FORM", b"AIFF"): ("AIFF", "aiff", "aiff"),
    (b"FORM", b"AIFC"): ("AIFF", "aiff", "aifc"),
    (b"FORM", b"8SVX"): ("8SVX", "iff", "8svx"),
    (b"FORM", b"16SV"): ("8SVX", None, "8svx"),
}


def format_of(head: bytes) -> tuple[str, str | None, str] | None:
    """Finds the format of a sound that libsndfile reads.

    Args:
        head: The first bytes of the file, 20 or more.

    Returns:
        Its name, FFmpeg's name of the container or None, and the usual suffix; None if
        it is another file.
    """
    if _is_mp3(head):
        return "MP3", "mp3", "mp3"
    if head[:4] == b"dns." and head[7:8] == b"\0":  # the low bytes of numbers first
        return "AU", None, "au"
    if (head[:4], head[8:12]) in _IN_CHUNKS:
        return _IN_CHUNKS[head[:4], head[8:12]]
    return next((found for x, found in _FORMATS.items() if head.startswith(x)), None)


def container_of(head: bytes) -> str | None:
    """FFmpeg's name of a container of sound that libsndfile does not read, or None."""
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "aac"  # frames without a container
    return "amr" if head[:5] == b"#!AMR" else None


def _is_mp3(head):
    """Whether a frame of MPEG audio begins: eleven set bits, and no reserved value."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    # Text in UTF-16 begins with the bytes of a layer that is not in use.
    return version != 1 and layer in (1, 2) and bits != 15 and rate != 3
