"""Tokenizer files of Hugging Face folders to a `Spec`."""

import dataclasses
import json
import pathlib
import re
from typing import Any

from mbm_keras.preprocessing.subwords.model import make_model
from mbm_keras.preprocessing.subwords.old_files import from_merges
from mbm_keras.preprocessing.subwords.old_files import from_vocab
from mbm_keras.preprocessing.subwords.spec import Spec
from mbm_keras.preprocessing.subwords.split import SPACE_RUNS
from mbm_keras.preprocessing.subwords.split import SPACE_SIGN
from mbm_keras.preprocessing.subwords.tokens import find_unreachable

_INNER_SPACE = re.compile(f"[^{SPACE_SIGN}]{SPACE_SIGN}")
_KINDS = {"WordPiece": "wordpiece", "BPE": "bpe", "Unigram": "unigram"}
_NO_LIMIT = 10**6  # files write a huge number where there is none


def read_folder(folder) -> Spec:
    """Reads `tokenizer.json`, or `vocab.txt`, or `vocab.json` and `merges.txt`.

    Args:
        folder: A local folder.

    Raises:
        ValueError: If it holds none of them, or a tokenizer of another kind.
    """
    folder = pathlib.Path(folder)
    settings = _read_file(folder / "tokenizer_config.json", {})
    if (folder / "tokenizer.json").is_file():
        content = _read_file(folder / "tokenizer.json")
    elif (folder / "vocab.txt").is_file():
        content = from_vocab(folder / "vocab.txt", settings)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        content = from_merges(folder, _read_file(folder / "vocab.json"), settings)
    else:
        found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else None
        raise ValueError(
            "Expected a folder with `tokenizer.json`, `vocab.txt`, or `vocab.json` and "
            f"`merges.txt`. Received: folder={str(folder)!r}, files={found}."
        )
    return read_json(content, settings)


def read_json(content: dict[str, Any], settings: dict[str, Any] | None = None) -> Spec:
    """Reads the content of a `tokenizer.json`.

    Args:
        content: The content, as plain data.
        settings: That of `tokenizer_config.json`: the padding and the longest text.

    Raises:
        ValueError: If it is a tokenizer of another kind.
    """
    settings = settings or {}
    try:
        return _read(content, settings)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "Expected the content of a `tokenizer.json`. Received: one without "
            f"{error}."
        ) from None


def _read(content, settings):
    model = content["model"]
    kind = _kind_of(model)
    pieces, scores = _pieces_of(model)
    added = {t["content"]: t["id"] for t in content.get("added_tokens") or ()}
    pieces += [None] * (max(added.values(), default=0) + 1 - len(pieces))
    for piece, id_ in added.items():
        pieces[id_] = piece
    spaces = sorted(
        token["id"]
        for token in content.get("added_tokens") or ()
        if not token.get("special", True) and token["content"].isspace()
    )
    before, after = _template(content.get("post_processor"), added)
    spec = Spec(
        kind=kind,
        pieces=pieces,
        special=sorted(set(added.values()) - set(spaces)),
        normalizers=_flatten(content.get("normalizer"), "normalizers"),
        pre_tokenizers=_flatten(content.get("pre_tokenizer"), "pretokenizers"),
        before=before,
        after=after,
        padding=_padding(content, settings, added),
        spaces=spaces,
        limit=_limit(content, settings),
    )
    ids = {piece: id_ for id_, piece in enumerate(pieces) if piece is not None}
    if kind == "wordpiece":
        return _with_word_pieces(spec, model, ids)
    if kind == "unigram":
        return _with_scores(spec, model, scores)
    return _with_merges(spec, model, ids)


def _kind_of(model):
    kind = model.get("type")
    if kind is None:  # old files do not name it
        kind = "Unigram" if isinstance(model["vocab"], list) else "WordPiece"
        kind = "BPE" if "merges" in model else kind
    if kind not in _KINDS:
        raise ValueError(
            f"Expected a tokenizer of the kinds {list(_KINDS)}. Received: {kind!r}."
        )
    return _KINDS[kind]


def _pieces_of(model):
    """Pieces by id, and scores where the model has them."""
    if isinstance(model["vocab"], list):
        return [p for p, _ in model["vocab"]], [float(s) for _, s in model["vocab"]]
    pieces = [None] * (max(model["vocab"].values()) + 1)
    for piece, id_ in model["vocab"].items():
        pieces[id_] = piece
    return pieces, []


def _with_word_pieces(spec, model, ids):
    return dataclasses.replace(
        spec,
        unknown=ids[model["unk_token"]],
        prefix=model["continuing_subword_prefix"],
        most=model["max_input_chars_per_word"],
    )


def _with_scores(spec, model, scores):
    if model.get("byte_fallback"):
        raise ValueError(
            "Expected a Unigram tokenizer without `byte_fallback`. Received: "
            "byte_fallback=True."
        )
    if model.get("unk_id") is None:
        raise ValueError("Expected a Unigram tokenizer with `unk_id`. Received: none.")
    special = sorted({*spec.special, model["unk_id"]})
    return _with_unreachable(
        dataclasses.replace(
            spec, unknown=model["unk_id"], scores=scores, special=special
        )
    )


def _with_merges(spec, model, ids):
    kinds = [entry["type"] for entry in spec.pre_tokenizers]
    if model.get("byte_fallback"):
        spec = _with_bytes(spec, ids)
    elif "ByteLevel" not in kinds:
        raise ValueError(
            "Expected a BPE tokenizer on bytes, with the pre-tokenizer `ByteLevel`, or "
            f"with `byte_fallback`. Received: {kinds}."
        )
    pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    suffix = model.get("end_of_word_suffix") or ""
    merges = [(ids[a], ids[b], ids[a + b]) for a, b in pairs]
    whole = bool(model.get("ignore_merges"))
    spec = dataclasses.replace(
        spec, suffix=suffix, whole=whole, merges=[i for m in merges for i in m]
    )
    return spec if whole else _with_unreachable(spec)


def _with_bytes(spec, ids):
    """A BPE of characters, whose words begin at spaces where all of its pieces do."""
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [name for name in names if name not in ids]
    if missing:
        raise ValueError(
            "Expected a vocabulary with all 256 bytes for `byte_fallback`. Received: "
            f"one without {len(missing)} of them, such as {missing[0]}."
        )
    steps = spec.pre_tokenizers
    if not any(
        _INNER_SPACE.search(x)
        for i, x in enumerate(spec.pieces)
        if x and i not in spec.special
    ):
        steps = [*steps, {"type": SPACE_RUNS}]
    special = sorted({*spec.special, *(ids[name] for name in names)})
    return dataclasses.replace(
        spec,
        kind="bpe_of_characters",
        of_bytes=[ids[name] for name in names],
        pre_tokenizers=steps,
        special=special,
    )


def _with_unreachable(spec):
    return dataclasses.replace(spec, unreachable=find_unreachable(make_model(spec)))


def _flatten(entry, name):
    """Entries in order, those of sequences too."""
    if entry is None:
        return []
    if entry["type"] == "Sequence":
        return [e for inner in entry[name] for e in _flatten(inner, name)]
    return [entry]


def _template(entry, added):
    """Ids before and after those of a text alone."""
    before, after = [], []
    for part in _flatten(entry, "processors"):
        if part["type"] in ("RobertaProcessing", "BertProcessing"):
            before, after = [*before, part["cls"][1]], [part["sep"][1], *after]
        elif part["type"] == "TemplateProcessing":
            ids = {name: t["ids"] for name, t in part["special_tokens"].items()}
            place = [i for i, piece in enumerate(part["single"]) if "Sequence" in piece]
            if len(place) != 1:
                raise ValueError(
                    "Expected a template with one sequence. Received: "
                    f"{part['single']}."
                )
            names = [p.get("SpecialToken", {}).get("id") for p in part["single"]]
            first = [i for n in names[: place[0]] for i in ids[n]]
            last = [i for n in names[place[0] + 1 :] for i in ids[n]]
            before, after = [*first, *before], [*after, *last]
        elif part["type"] != "ByteLevel":
            raise ValueError(
                "Expected a post-processor of TemplateProcessing, RobertaProcessing, "
                f"BertProcessing or ByteLevel. Received: {part['type']!r}."
            )
    return before, after


def _padding(content, settings, added):
    named = settings.get("pad_token")
    named = named.get("content") if isinstance(named, dict) else named
    if named in added:
        return added[named]
    return (content.get("padding") or {}).get("pad_id", 0)


def _limit(content, settings):
    limit = settings.get("model_max_length")
    if limit is None or limit > _NO_LIMIT:
        limit = (content.get("truncation") or {}).get("max_length")
    return limit


def _read_file(path, default=None):
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON in `{path}`. Received: {error}.") from None
