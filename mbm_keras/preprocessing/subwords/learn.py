"""Vocabularies of subwords, learned from texts by the package `tokenizers`."""

import importlib
import json
from collections.abc import Sequence
from typing import Any

from mbm_keras.preprocessing.subwords.folder import read_json
from mbm_keras.preprocessing.subwords.spec import Spec

_KINDS = ("bpe", "wordpiece", "unigram")
_END = "<|endoftext|>"


def learn(texts: Sequence[str], kind: str, size: int) -> Spec:
    """Learns a vocabulary, see `Subwords.learn`."""
    return read_json(train(texts, kind, size))


def train(texts: Sequence[str], kind: str, size: int) -> dict[str, Any]:
    """Learns a vocabulary.

    Returns:
        The content of a `tokenizer.json`.
    """
    if kind not in _KINDS:
        raise ValueError(f"Expected a kind of {list(_KINDS)}. Received: kind={kind!r}.")
    texts = [t.decode() if isinstance(t, bytes) else str(t) for t in texts]
    if not any(text.strip() for text in texts):
        raise ValueError(
            f"Expected a text to learn from. Received: {len(texts)} texts, no word."
        )
    try:
        library = importlib.import_module("tokenizers")
    except ImportError:
        raise ImportError(
            "Expected the package `tokenizers`: pip install 'mbm-keras[subwords]'."
        ) from None
    make = {"bpe": _bpe, "wordpiece": _wordpiece, "unigram": _unigram}[kind]
    tokenizer, trainer = make(library, size)
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    content = json.loads(tokenizer.to_str())
    if kind == "wordpiece":
        ids = content["model"]["vocab"]
        content["post_processor"] = {
            "type": "BertProcessing",
            "cls": ["[CLS]", ids["[CLS]"]],
            "sep": ["[SEP]", ids["[SEP]"]],
        }
    return content


def _bpe(library, size):
    """As GPT-2."""
    tokenizer = library.Tokenizer(library.models.BPE())
    level = library.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[_END],
        initial_alphabet=sorted(level.alphabet()),
        show_progress=False,
    )
    return tokenizer, trainer


def _wordpiece(library, size):
    """As BERT, in lower case."""
    tokenizer = library.Tokenizer(library.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    trainer = library.trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False,
    )
    return tokenizer, trainer


def _unigram(library, size):
    """As SentencePiece, with spaces joined."""
    tokenizer = library.Tokenizer(library.models.Unigram())
    tokenizer.normalizer = library.normalizers.Sequence(
        [
            library.normalizers.NFKC(),
            library.normalizers.Replace(library.Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
    trainer = library.trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    return tokenizer, trainer
