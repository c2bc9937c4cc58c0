"""What a served model takes and returns, by the names of the user's columns.

A column may be called anything. An argument of a signature is a plain identifier, and a
result must not have the name of another one: the files that are written here say which
name became which.
"""

import json
import pathlib

from data_pipelines import files

FILE, TARGETS = "signature.json", "targets.json"
_VALUES = {
    "text": "UTF-8 text",
    "prompt": "the beginning of a text in UTF-8",
    "image": "bytes of an image file",
    "audio": "bytes of a WAV file",
    "video": "NPY bytes of frames",
    "points": "bytes of rows of float32",
    "page": "lines `x1,y1,x2,y2,x3,y3,x4,y4,text`; or a table `word,x0,y0,x1,y1` "
    "without quotes; or lines `x0 y0 x1 y1 line word` in thousandths of the page",
    "vector": "text of a list of numbers, such as `[0.5, 1]`",
}
_CELLS = {
    "numbers": ("number", "number"),
    "categories": ("category", "UTF-8 text"),
    "dates": ("date", "text of a date or time, such as `2024-01-31T18:30`"),
}


def describe_inputs(features) -> dict[str, dict[str, str]]:
    """What each raw column is, by its name.

    Args:
        features: The `mbm_keras.preprocessing.Features`.

    Returns:
        `key`, the argument of the signature; `dtype`; `value`, in words; `modality`;
        and `part`, the column itself, or the table that the cell is in.
    """
    values = {}
    for name, preprocessor in features.by_name.items():
        if not isinstance(preprocessor.raw, dict):
            # What an encoder reads, and not the embedding that it gives.
            inner = getattr(preprocessor, "preprocessor", preprocessor)
            column = features.column_of(name)
            words = _VALUES.get(inner.modality, inner.modality)
            values[column] = inner.modality, words, column
            continue
        kinds = preprocessor.config()
        for column in preprocessor.raw:
            kind = next((k for k in _CELLS if column in kinds.get(k, ())), "")
            unknown = preprocessor.modality, preprocessor.modality
            values[column] = (*_CELLS.get(kind, unknown), name)
    described = {}
    for name, spec in features.raw_signature().items():
        modality, words, part = values[name]
        described[name] = {
            "key": spec.name,
            "dtype": spec.dtype.name,
            "value": words,
            "modality": modality,
            "part": part,
        }
    return described


def write(folder, inputs, results, endpoints=None) -> None:
    """Writes `signature.json`, and the same as `README.md`.

    Args:
        folder: An existing folder.
        inputs: What `describe_inputs` returned.
        results: What each result is, by its name: a list such as `["answer", "price"]`.
        endpoints: Key of an input by name of a signature that embeds it; None for none.
    """
    folder = pathlib.Path(folder)
    content = {"inputs": inputs, "results": results}
    if endpoints:
        content["embeddings"] = dict(endpoints)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    files.write(folder / FILE, text)
    files.write(folder / "README.md", _to_markdown(inputs, results, endpoints or {}))


def write_targets(folder, targets) -> None:
    """Writes `targets.json`: how outputs become answers, for clients that decode.

    Args:
        folder: An existing folder.
        targets: Target by output name.
    """
    kept = {
        name: {"target": type(target).__name__, **target.config()}
        for name, target in targets.items()
    }
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    files.write(pathlib.Path(folder) / TARGETS, text)


def read_results(path) -> dict[str, list[str]]:
    """What each result of a SavedModel is, by its name.

    Args:
        path: Folder of the SavedModel.
    """
    file = pathlib.Path(path) / "assets.extra" / FILE
    return json.loads(file.read_text(encoding="utf-8"))["results"]


def _to_markdown(inputs, results, endpoints):
    lines = [
        "# Signature",
        "",
        "`serve` takes a dict by column, `serving_default` the arguments by name.",
        "An absent value is an empty string, or NaN for a number.",
        "",
        "| column | argument | type | value |",
        "|---|---|---|---|",
    ]
    for name, column in inputs.items():
        key, kind, value = f"`{column['key']}`", column["dtype"], column["value"]
        lines.append(f"| {_escape(name)} | {key} | {kind} | {value} |")
    lines += ["", "| result | is |", "|---|---|"]
    for name, (kind, *of) in results.items():
        meaning = f"{kind} of {_escape(of[0])}" if of else kind
        lines.append(f"| {_escape(name)} | {meaning} |")
    for name, key in endpoints.items():
        lines += ["", f"`{name}` takes the arguments of `{key}`, returns `embedding`."]
    return "\n".join([*lines, ""])


def _escape(name):
    """A name in a cell of a table of Markdown."""
    return json.dumps(name, ensure_ascii=False).replace("|", "\\|")
