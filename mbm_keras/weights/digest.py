"""What a folder of a checkpoint holds, in one number."""

import functools
import hashlib
import os
import pathlib

# What decides about embeddings: sizes, weights, and how raw values are read.
_PATTERNS = ("*.json", "*/config.json", "*.safetensors", "*.txt")


def digest(folder: str | os.PathLike) -> str:
    """SHA-256 of the files of a checkpoint, in hexadecimal.

    Weights are read once per process as long as their size and time stay the same.

    Args:
        folder: The folder.

    Returns:
        64 characters, equal for equal contents of the files by name.
    """
    folder, found = pathlib.Path(folder), hashlib.sha256()
    paths = {path for pattern in _PATTERNS for path in folder.glob(pattern)}
    for path in sorted(paths):
        stat = path.stat()
        of_file = _digest_file(path.resolve(), stat.st_size, stat.st_mtime_ns)
        found.update(f"{path.relative_to(folder).as_posix()}\0{of_file}\n".encode())
    return found.hexdigest()


@functools.lru_cache(maxsize=1_000)
def _digest_file(path, size, time):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
