"""Pre-tokenizers of tokenizer files: texts to words, as steps of a graph."""

import functools
import re
from collections.abc import Sequence

import tensorflow as tf

from mbm_keras.preprocessing.subwords.patterns import SPACE
from mbm_keras.preprocessing.subwords.patterns import take_look_ahead
from mbm_keras.preprocessing.subwords.patterns import translate
from mbm_keras.preprocessing.subwords.unicode_ages import category

SPACE_SIGN = "\u2581"  # what SentencePiece writes for a space
SPACE_RUNS = (
    "SpaceRuns"  # a step of this package: a word begins with all spaces before it
)
_MARK = b"\xff"  # between words, a byte that UTF-8 does not have
_AROUND = _MARK + rb"\0" + _MARK
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_REWRITE = {
    "Isolated": _AROUND,
    "Removed": _MARK,
    "MergedWithPrevious": rb"\0" + _MARK,
    "MergedWithNext": _MARK + rb"\0",
}


class Split(tf.Module):
    """Splits texts into the words that a model splits into pieces.

    Args:
        entries: Pre-tokenizers in the order of a `tokenizer.json`, as it has them,
            without sequences.
        spaces: Several spaces that are a word, the longest first found.

    Raises:
        ValueError: If one is of another kind.
    """

    def __init__(self, entries: Sequence[dict], spaces: Sequence[str] = ()):
        super().__init__(name="split")
        kinds = [entry["type"] for entry in entries]
        after_spaces = "WhitespaceSplit" in kinds
        self.steps = []
        if spaces:
            longest_first = sorted(spaces, key=len, reverse=True)
            found = "|".join(map(re.escape, longest_first))
            self.steps.append(_replacing(found, _AROUND))
        for entry in entries:
            if entry["type"] == "Metaspace" and after_spaces:
                self.steps.append(_sign_words)
            elif entry["type"] != "WhitespaceSplit" or "Metaspace" not in kinds:
                self.steps += _steps_of(entry)

    def __call__(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Splits `(batch,)` strings of valid UTF-8.

        Returns:
            All words, `(n,)` strings, none empty; and `(batch + 1,)` int32: where each
            text begins and ends in them.
        """
        for step in self.steps:
            texts = step(texts)
        words = tf.raw_ops.StringSplit(input=texts, delimiter=_MARK, skip_empty=True)
        text = tf.cast(words.indices[:, 0], tf.int32)
        limits = tf.range(tf.size(texts) + 1)
        return words.values, tf.searchsorted(text, limits)


def _steps_of(entry):
    """One pre-tokenizer as functions of texts, in which marks separate words."""
    kind = entry["type"]
    if kind == "BertPreTokenizer":
        return [_replacing(_punctuation(), _AROUND), _replacing(f"[{SPACE}]+", _MARK)]
    if kind == "WhitespaceSplit":
        return [_replacing(f"[{SPACE}]+", _MARK)]
    if kind == "Whitespace":
        word = r"[\pL\pM\p{Nd}\p{Nl}\p{Pc}]"
        other = rf"[^\pL\pM\p{{Nd}}\p{{Nl}}\p{{Pc}}{SPACE}]"
        spaces = _replacing(f"[{SPACE}]+", _MARK)
        return [_replacing(f"{word}+|{other}+", _AROUND), spaces]
    if kind == "Punctuation":
        return [_replacing(_punctuation(), _rewrite(entry))]
    if kind == "Digits":
        digits = r"\pN" if entry["individual_digits"] else r"\pN+"
        return [_replacing(digits, _AROUND)]
    if kind == "Split":
        return _split(entry)
    if kind == "ByteLevel":
        steps = [_begin_with_space] if entry.get("add_prefix_space") else []
        words = _regex(_GPT2, _AROUND) if entry.get("use_regex", True) else []
        return [*steps, *words]
    if kind == SPACE_RUNS:
        return [_replacing(f"{SPACE_SIGN}+", _MARK + rb"\0")]
    if kind == "Metaspace":
        begins = entry.get("prepend_scheme") != "never"
        if not entry.get("split", True):
            return [_sign_whole if begins else _sign_all]
        return [_sign_spaces] if begins else [_mark_spaces]
    raise ValueError(
        "Expected a pre-tokenizer of BertPreTokenizer, ByteLevel, Digits, Metaspace, "
        "Punctuation, Split, Whitespace or WhitespaceSplit. Received: "
        f"{kind!r}."
    )


@functools.cache
def _punctuation():
    """A class of the punctuation that BERT knows, and the symbols of ASCII."""
    points = [ord(c) for c in "$+<=>^`|~\u166d"]
    points += [c for c in range(0x20000) if category(chr(c)).startswith("P")]
    return "[" + "".join(f"\\x{{{point:x}}}" for point in sorted(points)) + "]"


def _split(entry):
    pattern = entry["pattern"]
    if "String" in pattern:
        return [_replacing(re.escape(pattern["String"]), _rewrite(entry))]
    if not entry.get("invert"):
        return _regex(pattern["Regex"], _rewrite(entry))
    # What matches is kept, the rest is removed: known where all but spaces matches.
    classes = (r"[\p{L}]+", r"[\p{N}]", r"[^\s\p{L}\p{N}]+")
    if entry["behavior"] != "Removed" or any(
        c not in pattern["Regex"] for c in classes
    ):
        raise ValueError(
            f"Expected an inverted `Split` that removes spaces. Received: {entry}."
        )
    return [
        _replacing(f"[{SPACE}]+", _MARK),
        *_regex(pattern["Regex"], rb"\0" + _MARK),
    ]


def _regex(pattern, rewrite):
    pattern, ahead = take_look_ahead(pattern)
    steps = [_replacing(translate(pattern), rewrite)]
    return [_separating(ahead), *steps] if ahead else steps


def _rewrite(entry):
    if entry["behavior"] not in _REWRITE:
        raise ValueError(
            f"Expected a behavior of {list(_REWRITE)}. Received: {entry['behavior']!r}."
        )
    return _REWRITE[entry["behavior"]]


def _replacing(pattern, rewrite):
    try:
        tf.strings.regex_replace("", pattern, rewrite)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"Expected a pattern that RE2 reads. Received: {pattern!r}, {error.message}"
        ) from None
    return lambda texts: tf.strings.regex_replace(texts, pattern, rewrite)


def _separating(pattern):
    """Puts a mark between two groups, where a text has them: groups are slow."""
    both = rb"\1" + _MARK + rb"\2"

    def step(texts):
        found = tf.strings.regex_full_match(texts, rf"\C*{pattern}\C*")
        return tf.cond(
            tf.reduce_any(found),
            lambda: tf.strings.regex_replace(texts, pattern, both),
            lambda: texts,
        )

    return step


def _begin_with_space(texts):
    return tf.strings.regex_replace(texts, r"\A([^ ])", r" \1")


def _mark_spaces(texts):
    sign = SPACE_SIGN.encode()
    return tf.strings.regex_replace(texts, f"[ {SPACE_SIGN}]", _MARK + sign)


def _sign_spaces(texts):
    """A sign for each space, and one before each text."""
    texts = _mark_spaces(texts)
    begun = (texts == "") | (tf.strings.substr(texts, 0, 1) == _MARK)
    return tf.where(begun, texts, SPACE_SIGN + texts)


def _sign_all(texts):
    """A sign for each space, in texts that stay whole."""
    return tf.strings.regex_replace(texts, " ", SPACE_SIGN)


def _sign_whole(texts):
    """The same, and a sign before each text."""
    texts = _sign_all(texts)
    begun = (texts == "") | tf.strings.regex_full_match(texts, rf"{SPACE_SIGN}\C*")
    return tf.where(begun, texts, SPACE_SIGN + texts)


def _sign_words(texts):
    """A sign before each word, where spaces are between words and nothing else."""
    sign = SPACE_SIGN.encode()
    texts = tf.strings.regex_replace(
        texts, rf"\A([{SPACE}]|{SPACE_SIGN})+|[{SPACE}]+\z", ""
    )
    texts = tf.strings.regex_replace(
        texts, rf"[{SPACE}]+{SPACE_SIGN}?|{SPACE_SIGN}", _MARK + sign
    )
    return tf.where(texts == "", texts, sign + texts)
