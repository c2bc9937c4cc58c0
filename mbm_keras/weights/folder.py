"""A folder with a published checkpoint, as Hugging Face lays it out.

    config.json                    sizes, and the family in `model_type`
    model.safetensors              tensors; or shards of them with
    model.safetensors.index.json   the file of each tensor
    preprocessor_config.json       how images and sounds are prepared
    modules.json, 1_Pooling/       how a sentence encoder pools its tokens

Nothing is unpickled: `pytorch_model.bin` may hold code, and is refused.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from mbm_keras.weights.safetensors import Tensor
from mbm_keras.weights.safetensors import open_tensors

CONFIG = "config.json"
TIMM = "timm"  # the model_type of folders by timm, which name an architecture
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PREPROCESSOR = "preprocessor_config.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_CONVERT = (
    "Convert it once where PyTorch is installed, in an environment without anything of "
    "value: `AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER)`"
)


@dataclasses.dataclass(frozen=True)
class Folder:
    """An opened folder.

    Args:
        path: The folder.
        config: Entries of `config.json`.
        tensors: Tensors by name, of all shards.
    """

    path: pathlib.Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def preprocessor(self) -> Mapping[str, Any]:
        """Entries of `preprocessor_config.json`; empty without this file.

        Raises:
            ValueError: If it is not JSON.
        """
        path = self.path / PREPROCESSOR
        return read_json(path) if path.is_file() else {}


def open_folder(path: str | os.PathLike) -> Folder:
    """Opens a folder. Tensors are read when they are asked for.

    Args:
        path: The folder.

    Returns:
        Its configuration and tensors.

    Raises:
        ValueError: If there is no such folder, no configuration, or no safetensors; if
            a file is truncated, or a shard is missing.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_dir():
        raise ValueError(
            "Expected a folder with a published checkpoint. For a handle such as "
            "`organization/name` use `mbm_keras.weights.fetch(handle)`, which gives "
            f"one. Received: {str(path)!r}."
        )
    config = read_config(path)
    return Folder(path, config, _tensors(path))


def read_config(path: str | os.PathLike) -> Mapping[str, Any]:
    """Entries of the `config.json` of a folder.

    Raises:
        ValueError: If there is no such file, or it has no `model_type`.
    """
    path = pathlib.Path(path)
    if not (path / CONFIG).is_file():
        raise ValueError(
            f"Expected a folder with a {CONFIG}. Received: {path} with {_list(path)}."
        )
    config = read_json(path / CONFIG)
    if "architecture" in config:
        config.setdefault("model_type", TIMM)
    if not isinstance(config.get("model_type"), str):
        raise ValueError(
            f"Expected an entry 'model_type' in {path / CONFIG}. "
            f"Received: entries={sorted(config)}."
        )
    return config


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Entries of a JSON file.

    Raises:
        ValueError: If it is not JSON, or not an object.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON ({error}). Received: {path}.") from error
    if not isinstance(entries, dict):
        raise ValueError(f"Expected a JSON object. Received: {path}.")
    return entries


def _tensors(path):
    if (path / WEIGHTS).is_file():
        return open_tensors(path / WEIGHTS)
    if (path / INDEX).is_file():
        return _open_shards(path)
    if any(found for pattern in _PICKLES for found in path.glob(pattern)):
        raise ValueError(
            f"Expected {WEIGHTS}: a pickle may run code, and is not read. {_CONVERT}. "
            f"Received: {path} with {_list(path)}."
        )
    raise ValueError(
        f"Expected {WEIGHTS}, or {INDEX} and its shards. "
        f"Received: {path} with {_list(path)}."
    )


def _open_shards(path):
    files = read_json(path / INDEX).get("weight_map")
    if not isinstance(files, dict) or not all(map(_is_name, files.values())):
        raise ValueError(
            "Expected an entry 'weight_map' with names of files in this folder. "
            f"Received: {path / INDEX}."
        )
    shards = {}
    for file in sorted(set(files.values())):
        if not (path / file).is_file():
            raise ValueError(
                f"Expected the shard {file}, which {INDEX} names. "
                f"Received: {path} with {_list(path)}."
            )
        shards[file] = open_tensors(path / file)
    for name, file in files.items():
        if name not in shards[file]:
            raise ValueError(
                f"Expected the tensor {name!r} in {file}, as {INDEX} says. Received: "
                f"{path / file} with {len(shards[file])} other tensors."
            )
    return {name: shards[file][name] for name, file in files.items()}


def _is_name(file):
    return isinstance(file, str) and file == pathlib.PurePath(file).name != ""


def _list(path):
    names = sorted(child.name for child in path.iterdir())
    shown = ", ".join(names[:20]) or "no file"
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
