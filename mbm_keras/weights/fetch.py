"""The folder of a checkpoint by its handle on the Hugging Face hub.

Looks where files are already, before anything is downloaded:

1. `~/.cache/mbm_keras/weights/organization--name/`, for files that you put there
   yourself; `MBM_WEIGHTS_DIR` or `XDG_CACHE_HOME` move it;
2. the cache of `huggingface_hub`, which other libraries fill too;
3. the hub, if `huggingface_hub` is installed (`pip install mbm-keras[hub]`).
"""

import hashlib
import os
import pathlib
import re
from collections.abc import Mapping

from mbm_keras.encoders import ENCODERS
from mbm_keras.weights.folder import CONFIG
from mbm_keras.weights.folder import INDEX
from mbm_keras.weights.folder import WEIGHTS

# What is downloaded: no pickles, and no copies of the weights in other formats.
PATTERNS = ("*.json", "model*.safetensors", "*.txt", "*.model", "*.jinja")
_HANDLE = re.compile(r"(?:hf://)?((?:[\w-][\w.-]*/)?[\w-][\w.-]*)", re.ASCII)
_REVISION = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}")


def fetch(
    handle: str,
    *,
    revision: str = "main",
    sha256: Mapping[str, str] | None = None,
) -> pathlib.Path:
    """Returns the folder of a checkpoint; downloads it if it is in no cache.

    Files with weights are compared with their checksums: those that are given, those of
    the presets, and those by which the cache of the hub names them.

    Args:
        handle: `"organization/name"` on the Hugging Face hub.
        revision: Branch, tag or commit.
        sha256: Checksum by file name, such as `{"model.safetensors": "53aa..."}`.

    Returns:
        The folder, for `mbm_keras.weights.load`.

    Raises:
        ValueError: If the handle is not one, the checkpoint is in no cache and cannot
            be downloaded, or a file has another checksum. The error says which files to
            put where.
    """
    match = _HANDLE.fullmatch(handle) if isinstance(handle, str) else None
    is_revision = _REVISION.fullmatch(revision)
    if match is None or not is_revision or ".." in handle + revision:
        raise ValueError(
            "Expected a handle such as `organization/name`, and the name of a "
            "revision. For a folder use `mbm_keras.weights.load(folder)`. "
            f"Received: handle={handle!r}, revision={revision!r}."
        )
    name = match[1]
    folder = find(name, revision)
    if folder is None:
        folder = _download(name, revision)
    _check(folder, {**_checksums(name), **(sha256 or {})})
    return folder


def find(handle: str, revision: str = "main") -> pathlib.Path | None:
    """The folder of a checkpoint that is in a cache; nothing is downloaded.

    Args:
        handle: As for `fetch`.
        revision: As for `fetch`.

    Returns:
        The folder, or None.
    """
    folders = [own_folder(handle)]
    cached = _hub_cache() / f"models--{handle.replace('/', '--')}"
    reference = cached / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    folders.append(cached / "snapshots" / commit)
    return next((folder for folder in folders if _is_complete(folder)), None)


def own_folder(handle: str) -> pathlib.Path:
    """Where to put the files of a checkpoint by hand."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    default = os.path.join(home, "mbm_keras", "weights")
    root = os.environ.get("MBM_WEIGHTS_DIR") or default
    return pathlib.Path(root, handle.replace("/", "--"))


def _hub_cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    hub = os.environ.get("HF_HOME") or os.path.join(home, "huggingface")
    return pathlib.Path(os.environ.get("HF_HUB_CACHE") or os.path.join(hub, "hub"))


def _is_complete(folder):
    """Whether a folder has its configuration and all of its weights."""
    has_weights = (folder / WEIGHTS).is_file()
    if not has_weights and (folder / INDEX).is_file():
        index = (folder / INDEX).read_text("utf-8")
        shards = set(re.findall(r'"([^"/]+\.safetensors)"', index))
        has_weights = all((folder / shard).is_file() for shard in shards)
    return has_weights and (folder / CONFIG).is_file()


def _download(handle, revision):
    try:
        import huggingface_hub
    except ImportError:
        reason = (
            "`huggingface_hub` is not installed (`pip install mbm-keras[hub]` where "
            "there is a network)"
        )
        raise ValueError(_by_hand(handle, reason)) from None
    try:
        path = huggingface_hub.snapshot_download(
            handle, revision=revision, allow_patterns=list(PATTERNS)
        )
    # The errors of the library, of its HTTP client, and of sockets have no other base.
    except Exception as error:
        reason = f"it cannot be downloaded ({type(error).__name__}: {error})"
        raise ValueError(_by_hand(handle, reason)) from error
    return pathlib.Path(path)


def _by_hand(handle, reason):
    return (
        f"Expected the checkpoint {handle!r} in a cache: {reason}. Or download "
        f"{CONFIG}, {WEIGHTS} (or {INDEX} and its shards), and what there is of "
        "tokenizer.json, tokenizer_config.json, preprocessor_config.json, modules.json "
        f"and 1_Pooling/config.json, from https://huggingface.co/{handle}/tree/main, "
        f"and put them into {own_folder(handle)}. "
        f"Received: no such files in {own_folder(handle)} or {_hub_cache()}."
    )


def _checksums(handle):
    """Checksums that are written in the presets."""
    presets = [x for module in ENCODERS.values() for x in module.PRESETS.values()]
    known = [x.weights for x in presets if x.weights and x.weights.handle == handle]
    return {WEIGHTS: known[0].sha256} if known else {}


def _check(folder, expected):
    for path in sorted(folder.glob("*.safetensors")):
        # The cache of the hub has a link to a file that is named by its checksum.
        stored = path.resolve().name
        known = stored if path.is_symlink() and _SHA256.fullmatch(stored) else None
        known = expected.get(path.name, known)
        if known is None:
            continue
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != known:
            raise ValueError(
                f"Expected sha256 {known} of {path}: the file is damaged, or of "
                "another version. Remove it and download it again. "
                f"Received: sha256={found}."
            )
