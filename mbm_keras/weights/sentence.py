"""How a sentence encoder makes one embedding of its tokens, from its `modules.json`.

Source: Reimers and Gurevych 2019, "Sentence-BERT", https://arxiv.org/abs/1908.10084,
and its code, https://github.com/UKPLab/sentence-transformers. Deviation: dense layers
after the pooling are not built.
"""

import json
import pathlib
from typing import Any

from mbm_keras.weights.folder import read_json

MODULES = "modules.json"
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_lasttoken": "last",
}


def pooling_of(path: pathlib.Path) -> dict[str, Any]:
    """The arguments `pooling` and `normalize` of an encoder.

    Args:
        path: The folder of the checkpoint.

    Returns:
        The two arguments; empty if the folder is not that of a sentence encoder.

    Raises:
        ValueError: If it pools in a way that is not supported, or has another module.
    """
    if not (path / MODULES).is_file():
        return {}
    arguments: dict[str, Any] = {}
    for module in _modules(path):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            config = path / str(module.get("path", "")) / "config.json"
            arguments["pooling"] = _pooling(config)
        elif kind == "Normalize":
            arguments["normalize"] = True
        elif kind != "Transformer":
            raise ValueError(
                "Expected the modules Transformer, Pooling and Normalize of a sentence "
                f"encoder. Received: {kind!r} in {path / MODULES}."
            )
    return arguments


def _modules(path):
    try:
        modules = json.loads((path / MODULES).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Expected JSON ({error}). Received: {path / MODULES}."
        ) from error
    if not isinstance(modules, list) or not all(isinstance(x, dict) for x in modules):
        raise ValueError(f"Expected a list of modules. Received: {path / MODULES}.")
    return modules


def _pooling(path):
    if not path.is_file():
        raise ValueError(f"Expected the pooling of the encoder. Received: no {path}.")
    config = read_json(path)
    chosen = [name for name, value in config.items() if value is True]
    chosen = [name for name in chosen if name.startswith("pooling_mode_")]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise ValueError(
            f"Expected one of {', '.join(_POOLINGS)} in {path}. Received: {chosen}."
        )
    return _POOLINGS[chosen[0]]
