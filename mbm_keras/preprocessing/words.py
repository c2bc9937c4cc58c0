"""Text to words, in any script, in TensorFlow operations alone.

A word is what spaces and punctuation separate. Scripts without spaces have a word per
character, and every emoji or other symbol is a word.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.normal_form import compose
from mbm_keras.preprocessing.trace_once import trace_once

# Scripts that do not write spaces between words, and the long vowel of Japanese.
_NO_SPACES = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\x{30FC}\x{FF70}\p{Thai}\p{Lao}"
    r"\p{Khmer}\p{Myanmar}\p{Tai_Tham}\p{Tai_Le}\p{New_Tai_Lue}\p{Javanese}\p{Balinese}"
)
_FLAG = r"[\x{1F1E6}-\x{1F1FF}]{2}"  # a country: two letters of its own alphabet
_KEYCAP = r"[0-9]\x{20E3}"
# The last range is for emoji that are younger than the tables of the library. After a
# symbol follow its marks, the tone of its skin, and the letters of a region.
_SYMBOL = (
    r"[\p{So}\p{Sc}\p{Sm}\x{1F000}-\x{1FAFF}]\p{M}*[\x{1F3FB}-\x{1F3FF}]?"
    r"[\x{E0020}-\x{E007F}]*"
)
_JOINER = r"\x{200D}"  # makes one emoji of several: a family, a profession
_ALONE = rf"{_FLAG}|{_KEYCAP}|{_SYMBOL}(?:{_JOINER}{_SYMBOL})*|[{_NO_SPACES}]\p{{M}}*"
# What is not seen, or only changes how a character looks: soft hyphen, direction,
# the non-joiner of Persian, the lengthening of Arabic, forms of emoji and ideographs.
_INVISIBLE = (
    r"[\x{AD}\x{34F}\x{61C}\x{640}\x{180B}-\x{180E}\x{200C}\x{200E}\x{200F}"
    r"\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FE00}-\x{FE0F}\x{FEFF}\x{E0100}-\x{E01EF}]"
)
_PUNCTUATION = r"\p{P}+<=>|~^`"  # and the symbols of ASCII that are used like it
# Rare spaces, the usual one stays; accents without a letter, frames of boxes, and the
# sign of a lost character.
_SPACES = (
    r"\p{Cc}\p{Cs}\p{Co}\x{A0}\x{1680}\x{2000}-\x{200B}\x{2028}\x{2029}\x{202F}"
    r"\x{205F}\x{3000}\x{A8}\x{AF}\x{B4}\x{B8}"
    r"\x{2C2}-\x{2C5}\x{2D2}-\x{2DF}\x{384}\x{385}\x{2500}-\x{257F}\x{309B}\x{309C}"
    r"\x{FF1C}-\x{FF1E}\x{FF3E}\x{FF40}\x{FF5C}\x{FF5E}\x{FFE3}\x{FFFC}\x{FFFD}"
)
_QUOTES = r"\p{Pi}\p{Pf}'\""
_BETWEEN = rf"[{_PUNCTUATION}{_SPACES}]+"
_APOSTROPHE = "\u02bc"  # the one that is a letter to the library


def split(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into words, in lower case.

    Punctuation, spaces and what is not seen separate words; an apostrophe between two
    letters does not. In Chinese, Japanese, Thai, Lao, Khmer and other scripts without
    spaces, a character with its marks is a word. So is an emoji, a flag, a symbol of a
    currency. Marks stay with their letter, and the two encodings of a letter with a
    mark are one word.

    Args:
        texts: `(batch,)` strings.

    Returns:
        `(batch, words)` strings, ragged.
    """
    return tf.strings.split(standardize(texts))


def standardize(texts: tf.Tensor, marks: bool = False) -> tf.Tensor:
    """Texts as their words, see `split`, with spaces between them: `(batch,)`.

    Args:
        texts: `(batch,)` strings.
        marks: True to keep each punctuation mark as a word, except for quotes.
    """
    ascii_only = tf.reduce_all(tf.strings.regex_full_match(texts, r"[\x00-\x7f]*"))
    any_script = _with_marks if marks else _without_marks
    return tf.cond(ascii_only, lambda: _ascii(texts, marks), lambda: any_script(texts))


def count_words(texts: Sequence[str | bytes]) -> np.ndarray:
    """How many words each text has, `(len(texts),)` int64."""
    found = [np.zeros(0, "int64")]
    for start in range(0, len(texts), 1024):
        words = split(tf.constant(list(texts[start : start + 1024]), tf.string))
        found.append(words.row_lengths().numpy())
    return np.concatenate(found)


def join(words: tf.Tensor) -> tf.Tensor:
    """Writes words as a sentence: no space in scripts that have none.

    Args:
        words: `(batch, words)` strings, empty ones are left out.

    Returns:
        `(batch,)` strings.
    """
    texts = tf.strings.reduce_join(words, axis=-1, separator=" ")
    texts = tf.strings.strip(tf.strings.regex_replace(texts, " +", " "))
    gap = rf"([{_NO_SPACES}]\p{{M}}*) ([{_NO_SPACES}])"
    for _ in range(2):  # a word between two gaps is in one match only
        texts = tf.strings.regex_replace(texts, gap, r"\1\2")
    return texts


def _ascii(texts, marks):
    # The same words as `_any_script` finds, in a third of the time.
    texts = tf.strings.lower(texts)
    if marks:  # all but quotes and `$`
        texts = tf.strings.regex_replace(texts, r"[!#%&(-/:-@\[-`{-~]", r" \0 ")
        texts = tf.strings.regex_replace(texts, r"[\x00-\x1f\x7f\"]+", " ")
    else:
        texts = tf.strings.regex_replace(texts, r"[^a-z0-9$'\s]+", " ")
    texts = tf.strings.regex_replace(texts, r"'\B|\B'", " ")
    return tf.strings.regex_replace(texts, r"\$", " $ ")


@trace_once(tf.TensorSpec((None,), tf.string))
def _with_marks(texts):
    return _any_script(texts, True)


@trace_once(tf.TensorSpec((None,), tf.string))
def _without_marks(texts):
    return _any_script(texts, False)


def _any_script(texts, marks):
    replace = tf.strings.regex_replace
    texts = replace(texts, r"\x00", " ")  # `lower` takes it for the end of the text
    texts = compose(tf.strings.lower(texts, encoding="utf-8"))
    texts = replace(texts, _INVISIBLE, "")
    quotes = r"['\x{B4}\x{2019}\x{FF07}]"
    texts = replace(texts, rf"{quotes}([\p{{L}}\p{{N}}])", rf"{_APOSTROPHE}\1")
    if marks:
        texts = replace(texts, rf"[{_QUOTES}{_SPACES}]+", " ")
        texts = replace(texts, rf"[{_PUNCTUATION}]", r" \0 ")
    else:
        texts = replace(texts, _BETWEEN, " ")
    texts = replace(texts, _ALONE, r" \0 ")
    # A joiner that joined no emoji, and an apostrophe that begins a word.
    texts = replace(texts, rf"(^|[\p{{L}}\p{{M}}\p{{N}} ]){_JOINER}+", r"\1")
    texts = replace(texts, rf"(^| ){_APOSTROPHE}+", " ")
    return replace(texts, _APOSTROPHE, "'")
