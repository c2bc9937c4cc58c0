"""What the bytes of a file are: image, audio, video or points, and in which format."""

import os

# Suffixes by kind. The kind of a file is found from its bytes where these can be read.
SUFFIXES: dict[str, frozenset[str]] = {
    "image": frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}),
    "audio": frozenset({".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}),
    "video": frozenset(
        {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
    ),
    "points": frozenset({".bin", ".pcd"}),
}
HEAD = 256  # bytes from the start of a file that tell its kind; 189 would do

# Names that FFmpeg gives to containers, by the first four bytes.
_CONTAINERS = {
    b"RIFF": "avi",
    b"\x1aE\xdf\xa3": "matroska",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x00\x00\x01\xb3": "mpegvideo",
    b"GIF8": "gif",
    b"OggS": "ogg",
    b"FLV\x01": "flv",
}
_VIDEO_SUFFIXES = {"mov": "mp4", "matroska": "mkv", "mpegts": "ts"}
_OTHER_SUFFIXES = {
    b"\xff\xd8": "jpg", b"\x89P": "png", b"GI": "gif", b"BM": "bmp",
    b"fL": "flac", b"Og": "ogg", b"ID": "mp3",
}  # fmt: skip


def kind_of(head: bytes) -> str | None:
    """Finds the kind of a file from its first bytes.

    Args:
        head: The first `HEAD` bytes of the file, or all of them.

    Returns:
        A key of `SUFFIXES`, or None for an unknown kind. Bare rows of numbers have no
        header, so their kind is unknown.
    """
    if head[:4] == b"RIFF":
        riff = {b"WEBP": "image", b"WAVE": "audio", b"AVI ": "video"}
        return riff.get(head[8:12])
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM")):
        return "image"
    # An MP3 without tags starts with eleven set bits, whatever its version and layer.
    is_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    if is_mp3 or head.startswith((b"fLaC", b"OggS", b"ID3")):
        return "audio"
    if container_of(head) is not None:
        return "audio" if head[8:12] == b"M4A " else "video"
    return "points" if is_pcd(head) else None


def container_of(head: bytes) -> str | None:
    """Finds the container of a clip from its first bytes.

    FFmpeg must be given the container: if it guesses, it takes a playlist for a clip
    and opens the files and addresses that the playlist names.

    Args:
        head: The first `HEAD` bytes of the file, or all of them.

    Returns:
        FFmpeg's name of the container, or None if this is not a known container.
    """
    if head[4:8] == b"ftyp":
        return "mov"  # MP4 too
    if head[:4] == b"RIFF" and head[8:12] != b"AVI ":
        return None
    if head[:1] == b"G" and head[188:189] == b"G":
        return "mpegts"
    return _CONTAINERS.get(head[:4])


def is_pcd(head: bytes) -> bool:
    """Whether a file starts as a PCD point cloud does."""
    return head.lstrip().startswith((b"# .PCD", b"VERSION", b"FIELDS"))


def suffix_of(data: bytes) -> str:
    """The usual suffix of a file with these bytes, without the dot."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(data[8:12], "avi")
    kind = kind_of(data[:HEAD])
    if kind == "points":
        return "pcd"
    if kind == "video":
        return _VIDEO_SUFFIXES.get(container_of(data[:HEAD]) or "", "mpg")
    return "bin" if kind is None else _OTHER_SUFFIXES.get(data[:2], "mp3")


def kind_of_suffix(suffix: str) -> str | None:
    """The kind of files with a suffix (with its dot), None for an unknown one."""
    suffix = suffix.lower()
    return next((kind for kind, known in SUFFIXES.items() if suffix in known), None)


def read_kind(path: str | os.PathLike) -> str | None:
    """Reads the first bytes of a file and finds its kind.

    Returns:
        A key of `SUFFIXES`; None if the kind is unknown or `path` is not a file.
    """
    try:
        if not os.path.isfile(path):  # a pipe or a device would block
            return None
        with open(path, "rb", opener=_open_at_once) as file:
            return kind_of(file.read(HEAD))
    except OSError:
        return None


def _open_at_once(path, flags):
    """Opens a file that may have become a pipe meanwhile."""
    return os.open(path, flags | os.O_NONBLOCK)
