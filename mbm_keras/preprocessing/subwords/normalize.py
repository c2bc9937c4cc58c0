"""Normalizers of tokenizer files, as steps of a graph."""

import base64
import functools
import re
from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from mbm_keras.preprocessing.normal_form import compose
from mbm_keras.preprocessing.subwords.charsmap import Charsmap
from mbm_keras.preprocessing.subwords.code_points import CodePoints
from mbm_keras.preprocessing.subwords.patterns import OTHER_SPACE
from mbm_keras.preprocessing.subwords.patterns import SPACE
from mbm_keras.preprocessing.subwords.patterns import translate
from mbm_keras.preprocessing.subwords.unicode_ages import category
from mbm_keras.preprocessing.subwords.unicode_ages import normalize

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),  # as in the file of the authors' port, 0x2B820 in BERT's own
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class Normalize(tf.Module):
    """Applies normalizers to texts.

    What changes each character alone is one table. Texts of plain ASCII, which most
    tables leave alone or put in lower case, do not need it.

    Args:
        entries: Normalizers in the order of a `tokenizer.json`, as it has them, without
            sequences.

    Raises:
        ValueError: If one is of another kind.
    """

    def __init__(self, entries: Sequence[dict]):
        super().__init__(name="normalize")
        self.steps = _join_tables([step for e in entries for step in _steps_of(e)])
        tables = [change for kind, change in self.steps if kind == "table"]
        self.is_lower = any(change("A") == "a" for change in tables)
        self.tables = [CodePoints(change) for change in tables]
        self.plain = f"[{_plain_characters(tables, self.is_lower)}]*"

    def __call__(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Normalizes `(batch,)` strings.

        Returns:
            Strings, empty where one is not valid UTF-8; and `(batch,)` bool, which are.
        """
        plain = tf.reduce_all(tf.strings.regex_full_match(texts, self.plain))
        return tf.cond(
            plain,
            lambda: (self._normalize_plain(texts), tf.ones_like(texts == "")),
            lambda: self._normalize_any(texts),
        )

    def _normalize_plain(self, texts):
        for kind, change in self.steps:
            if kind == "strings":
                texts = change(texts)
            elif kind == "table" and self.is_lower:
                texts = tf.strings.lower(texts)
        return texts

    def _normalize_any(self, texts):
        valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8") == texts
        texts = tf.where(valid, texts, "")
        tables = iter(self.tables)
        for kind, change in self.steps:
            texts = next(tables)(texts) if kind == "table" else change(texts)
        return texts, valid


def _steps_of(entry):
    """One normalizer as pairs of a kind and a function.

    A `table` changes a character, in Python; `strings` and `marks` change texts, in a
    graph, and ASCII needs no `marks`.
    """
    kind = entry["type"]
    if kind in _FORMS:
        form = functools.partial(normalize, kind)
        steps = [] if kind == "NFC" else [("table", form)]
        return steps + ([("marks", compose)] if kind.endswith("C") else [])
    if kind == "BertNormalizer":
        return [("table", functools.partial(_bert, entry))]
    if kind == "Lowercase":
        return [("table", str.lower)]
    if kind == "StripAccents":
        return [("table", functools.partial(_without, "M"))]
    if kind == "Precompiled":
        charsmap = Charsmap(base64.b64decode(entry["precompiled_charsmap"]))
        return [("marks", charsmap.compose), ("table", charsmap)]
    if kind == "Replace":
        return [("strings", _replace(entry["pattern"], entry["content"]))]
    if kind == "Strip":
        return [("strings", _strip(entry["strip_left"], entry["strip_right"]))]
    if kind == "Prepend":
        return [("strings", functools.partial(_prepend, entry["prepend"]))]
    raise ValueError(
        f"Expected a normalizer of {[*_FORMS, 'BertNormalizer', 'Lowercase']}, "
        "`StripAccents`, `Precompiled`, `Replace`, `Strip` or `Prepend`. Received: "
        f"{kind!r}."
    )


def _bert(entry, character):
    lower = entry.get("lowercase", True)
    strip = entry.get("strip_accents")
    if entry.get("clean_text", True):
        if _is_control(character):
            return ""
        if character.isspace():
            character = " "
    if entry.get("handle_chinese_chars", True):
        point = ord(character)
        if any(first <= point <= last for first, last in _IDEOGRAPHS):
            character = f" {character} "
    if lower if strip is None else strip:
        character = _without("Mn", normalize("NFD", character))
    return "".join(c.lower() for c in character) if lower else character


def _is_control(character):
    if character in "\t\n\r":
        return False
    # The sign of a lost character counts too.
    return category(character) in ("Cc", "Cf", "Co") or character == "\ufffd"


def _without(kind, text):
    """Leaves out characters of a category, or of several with one first letter."""
    return "".join(c for c in text if not category(c).startswith(kind))


def _replace(pattern, content):
    if "String" in pattern:
        source = re.escape(pattern["String"])
    elif (pattern["Regex"], content) == (r"\s+", " "):
        source = f"[{SPACE}]{{2,}}|[{OTHER_SPACE}]"  # one space is left alone
    else:
        source = translate(pattern["Regex"])
    rewrite = content.replace("\\", "\\\\")
    return lambda texts: tf.strings.regex_replace(texts, source, rewrite)


def _strip(left, right):
    ends = [rf"\A[{SPACE}]+"] * left + [rf"[{SPACE}]+\z"] * right
    if not ends:
        return tf.identity
    return lambda texts: tf.strings.regex_replace(texts, "|".join(ends), "")


def _prepend(text, texts):
    return tf.where(texts == "", texts, text + texts)


def _join_tables(steps):
    """Adjacent tables become one."""
    joined: list[tuple[str, Callable]] = []
    for kind, change in steps:
        if kind == "table" and joined and joined[-1][0] == "table":
            change = _chain(joined.pop()[1], change)
        joined.append((kind, change))
    return joined


def _chain(first, second):
    return lambda character: "".join(map(second, first(character)))


def _plain_characters(tables, is_lower):
    """ASCII that the tables leave alone, or put in lower case, for a class."""

    def same(character):
        wanted = character.lower() if is_lower else character
        return all(change(character) in (wanted, character) for change in tables)

    # No other step may differ between the two ways.
    plain = [c for c in map(chr, range(128)) if same(c)]
    return "".join(f"\\x{ord(c):02x}" for c in plain)
