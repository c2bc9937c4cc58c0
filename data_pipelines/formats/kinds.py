"""What the bytes of a file are: image, audio, video, points or page; which format."""

import os

from data_pipelines.formats import page_kinds
from data_pipelines.formats import picture_kinds
from data_pipelines.formats import sound_kinds

# Suffixes by kind. The kind of a file is found from its bytes where these can be read.
SUFFIXES: dict[str, frozenset[str]] = {
    "image": frozenset(x for part in picture_kinds.SUFFIXES.values() for x in part),
    "audio": frozenset(sound_kinds.SUFFIXES),
    "video": frozenset(
        {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
    ),
    "points": frozenset({".bin", ".pcd"}),
    "page": frozenset(page_kinds.SUFFIXES),
}
HEAD = 1_024  # bytes from the start of a file that tell its kind; hOCR has a preamble

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


def kind_of(head: bytes) -> str | None:
    """Finds the kind of a file from its first bytes.

    Args:
        head: The first `HEAD` bytes of the file, or all of them.

    Returns:
        A key of `SUFFIXES`, or None for an unknown kind. Bare rows of numbers have no
        header, so their kind is unknown.
    """
    if picture_kinds.format_of(head) is not None:
        return "image"
    if sound_kinds.format_of(head) is not None:
        return "audio"
    container = container_of(head)
    if container is not None:
        is_sound = sound_kinds.container_of(head) or head[8:12] in (b"M4A ", b"M4B ")
        return "audio" if is_sound else "video"
    if is_pcd(head):
        return "points"
    return "page" if page_kinds.is_page(head) else None


def container_of(head: bytes) -> str | None:
    """Finds the container of a clip from its first bytes.

    FFmpeg must be given the container: if it guesses, it takes a playlist for a clip
    and opens the files and addresses that the playlist names.

    Args:
        head: The first `HEAD` bytes of the file, or all of them.

    Returns:
        FFmpeg's name of the container, or None if this is not a known container.
    """
    if head[4:8] == b"ftyp" and picture_kinds.format_of(head) is None:
        return "mov"  # MP4 too
    if head[:4] == b"RIFF" and head[8:12] != b"AVI ":
        return None
    if head[:1] == b"G" and head[188:189] == b"G":
        return "mpegts"
    return sound_kinds.container_of(head) or _CONTAINERS.get(head[:4])


def is_pcd(head: bytes) -> bool:
    """Whether a file starts as a PCD point cloud does."""
    return head.lstrip().startswith((b"# .PCD", b"VERSION", b"FIELDS"))


def suffix_of(data: bytes) -> str:
    """The usual suffix of a file with these bytes, without the dot."""
    image = picture_kinds.format_of(data[:HEAD])
    if image is not None:
        return picture_kinds.SUFFIXES[image][0].removeprefix(".")
    sound = sound_kinds.format_of(data[:HEAD])
    if sound is not None:
        return sound[2]
    if data[:4] == b"RIFF":
        return "avi"
    kind, container = kind_of(data[:HEAD]), container_of(data[:HEAD]) or ""
    if kind == "audio":
        return {"mov": "m4a"}.get(container, container)
    if kind in ("points", "page"):
        return {"points": "pcd", "page": "txt"}[kind]
    if kind == "video":
        return _VIDEO_SUFFIXES.get(container, "mpg")
    return "bin"


def kind_of_suffix(suffix: str) -> str | None:
    """The kind of files with a suffix (with its dot), None for an unknown one."""
    suffix = suffix.lower()
    return next((kind for kind, known in SUFFIXES.items() if suffix in known), None)


def read_kind(path: str | os.PathLike) -> str | None:
    """Reads the first bytes of a file and finds its kind.

    Returns:
        A key of `SUFFIXES`; None if the kind is unknown or `path` is not a file. A
        container that holds clips or sounds holds a sound where the suffix says so.
    """
    try:
        if not os.path.isfile(path):  # a pipe or a device would block
            return None
        with open(path, "rb", opener=_open_at_once) as file:
            kind = kind_of(file.read(HEAD))
    except OSError:
        return None
    named = kind_of_suffix(os.path.splitext(os.fspath(path))[1])
    return named if (kind, named) == ("video", "audio") else kind


def _open_at_once(path, flags):
    """Opens a file that may have become a pipe meanwhile."""
    return os.open(path, flags | os.O_NONBLOCK)
