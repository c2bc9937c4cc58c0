"""Tokenizer files that came before `tokenizer.json`, as its content."""


def from_vocab(path, settings):
    """The content of a `tokenizer.json` for the `vocab.txt` of a BERT."""
    pieces = path.read_text(encoding="utf-8").split("\n")
    vocabulary = {p: i for i, p in enumerate(pieces) if p or i + 1 < len(pieces)}
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    missing = [name for name in names[:4] if name not in vocabulary]
    if missing:
        raise ValueError(
            f"Expected `{path.name}` of a BERT, with {names[:4]}. Received: one "
            f"without {missing}."
        )
    return {
        "model": {
            "type": "WordPiece",
            "vocab": vocabulary,
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
        "added_tokens": _find_special(vocabulary, names),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": settings.get("tokenize_chinese_chars", True),
            "strip_accents": settings.get("strip_accents"),
            "lowercase": settings.get("do_lower_case", True),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _around(vocabulary, "[CLS]", "[SEP]"),
    }


def from_merges(folder, vocabulary, settings):
    """The content of a `tokenizer.json` for the files of a GPT-2, RoBERTa or CLIP."""
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [line for line in lines if line and not line.startswith("#version")]
    model = {"type": "BPE", "vocab": vocabulary, "merges": merges}
    level = {
        "type": "ByteLevel",
        "add_prefix_space": settings.get("add_prefix_space", False),
    }
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    names += ["<|startoftext|>", "<|endoftext|>"]
    content = {
        "model": model,
        "added_tokens": _find_special(vocabulary, names),
        "normalizer": None,
        "pre_tokenizer": level,
    }
    if "<|startoftext|>" in vocabulary:
        model["end_of_word_suffix"] = "</w>"
        around = _around(vocabulary, "<|startoftext|>", "<|endoftext|>")
        return {**content, **_CLIP, "post_processor": around}
    if "<s>" in vocabulary:
        return {**content, "post_processor": _around(vocabulary, "<s>", "</s>")}
    return content


_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_CLIP = {
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ],
    },
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": {"Regex": _CLIP_WORDS},
                "behavior": "Removed",
                "invert": True,
            },
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ],
    },
}


def _find_special(vocabulary, names):
    return [{"content": n, "id": vocabulary[n]} for n in names if n in vocabulary]


def _around(vocabulary, first, last):
    return {
        "type": "BertProcessing",
        "cls": [first, vocabulary[first]],
        "sep": [last, vocabulary[last]],
    }
