"""One encoding for a letter with its marks, in TensorFlow operations alone.

Unicode has two: one code point for `é`, or `e` and a mark after it. Files of one system
have the first, those of another the second, and to a table of words they differ.
"""

import functools
import unicodedata

import numpy as np
import tensorflow as tf

_SHIFT = 2**21  # above every code point
_ROUNDS = 3  # the most marks that a letter is composed with
_HANGUL, _L, _V, _T = 0xAC00, 0x1100, 0x1161, 0x11A7  # first syllable and first parts
_NUM_L, _NUM_V, _NUM_T = 19, 21, 28
_NUM_HANGUL = _NUM_L * _NUM_V * _NUM_T


def compose(texts: tf.Tensor) -> tf.Tensor:
    """Gives texts that look the same the same characters.

    Source: Unicode Standard Annex 15, "Unicode Normalization Forms",
    https://www.unicode.org/reports/tr15/, form C. Deviation: none.

    Args:
        texts: `(batch,)` strings of UTF-8.

    Returns:
        `(batch,)` strings.
    """
    pattern = f"(?s).*[{_ranges(_tables()[0])}].*"
    changes = tf.reduce_any(tf.strings.regex_full_match(texts, pattern))
    return tf.cond(changes, lambda: _compose(texts), lambda: texts)


@functools.cache
def _tables():
    """Tables of Unicode, as sorted arrays.

    Returns:
        Code points that may change; those that consist of several, and which,
        `(n,)` and `(n, 4)` with -1 for none; marks and their classes; and pairs and the
        code points they compose.
    """
    changing, whole, parts, marks, classes, pairs = set(), [], [], [], [], {}
    for point in range(0xA0, 0x30000):
        if 0xD800 <= point < 0xE000 or 0 <= point - _HANGUL < _NUM_HANGUL:
            continue
        letter = chr(point)
        order = unicodedata.combining(letter)
        if order:
            marks.append(point)
            classes.append(order)
            changing.add(point)
        apart = [ord(c) for c in unicodedata.normalize("NFD", letter)]
        if apart == [point]:
            continue
        whole.append(point)
        parts.append(apart + [-1] * (4 - len(apart)))
        if unicodedata.normalize("NFC", letter) != letter:
            changing.add(point)
            continue
        first, second = (int(x, 16) for x in unicodedata.decomposition(letter).split())
        pairs[first * _SHIFT + second] = point
        changing.add(second)
    changing.update(range(_V, _V + _NUM_V), range(_T + 1, _T + _NUM_T))
    keys = sorted(pairs)
    arrays = (whole, parts, marks, classes)
    return (
        sorted(changing),
        *(np.array(array, np.int32) for array in arrays),
        np.array(keys, np.int64),
        np.array([pairs[key] for key in keys], np.int32),
    )


def _ranges(points):
    """The code points as the inside of a class of a regular expression."""
    points = np.array(points)
    ends = np.flatnonzero(np.diff(points) > 1)
    first = points[np.concatenate([[0], ends + 1])]
    last = points[np.concatenate([ends, [len(points) - 1]])]
    return "".join(
        f"\\x{{{a:X}}}-\\x{{{b:X}}}" for a, b in zip(first, last, strict=True)
    )


def _compose(texts):
    _, whole, parts, marks, classes, pairs, composed = _tables()
    decoded = tf.strings.unicode_decode(texts, "UTF-8")  # (batch, characters), ragged
    x, row = decoded.flat_values, decoded.value_rowids()

    single = tf.pad(x[:, None], [[0, 0], [0, 3]], constant_values=-1)
    apart = _find(x, whole, parts, single)  # (characters, 4)
    kept = apart >= 0
    row = tf.boolean_mask(tf.repeat(row[:, None], 4, axis=1), kept)
    x = tf.boolean_mask(apart, kept)

    # Marks of one letter are in the order of their classes.
    order = tf.cast(_find(x, marks, classes, tf.zeros_like(x)), tf.int64)
    starts = (order == 0) | (row != tf.concat([[-1], row[:-1]], axis=0))
    letter = tf.cumsum(tf.cast(starts, tf.int64))
    x = tf.gather(x, tf.argsort(letter * 256 + order, stable=True))

    order = tf.cast(_find(x, marks, classes, tf.zeros_like(x)), tf.int64)
    for _ in range(_ROUNDS):
        x, row, order = _compose_once(x, row, order)
    count = tf.size(texts, out_type=tf.int64)
    again = tf.RaggedTensor.from_value_rowids(x, row, count)
    return tf.strings.unicode_encode(again, "UTF-8")


def _compose_once(x, row, order):
    """Composes each letter with the first character after it that it composes with.

    A mark may follow others of lower classes, another character follows directly.
    """
    _, _, _, _, _, pairs, composed = _tables()
    starts = (order == 0) | (row != tf.concat([[-1], row[:-1]], axis=0))
    letters = tf.where(starts)[:, 0]
    letter = tf.cumsum(tf.cast(starts, tf.int64)) - 1
    index = tf.range(tf.size(x, out_type=tf.int64))
    before = tf.maximum(index - 1, 0)
    previous = tf.gather(order, before)
    first = tf.where(order == 0, before, tf.gather(letters, letter))
    open_ = tf.where(order == 0, previous == 0, previous < order)
    open_ &= (row == tf.gather(row, first)) & (first < index)

    letter_of = tf.gather(x, first)
    pair = tf.cast(letter_of, tf.int64) * _SHIFT + tf.cast(x, tf.int64)
    new = _find(pair, pairs, composed, _hangul(letter_of, x))
    new = tf.where(open_, new, 0)
    found = tf.where(new > 0)[:, 0]
    chosen = tf.math.unsorted_segment_min(found, tf.gather(first, found), tf.size(x))
    taken = tf.where(chosen < tf.size(x, out_type=tf.int64))  # letters that change
    second = tf.gather_nd(chosen, taken)
    x = tf.tensor_scatter_nd_update(x, taken, tf.gather(new, second))
    kept = tf.tensor_scatter_nd_update(
        tf.ones_like(x, tf.bool), second[:, None], tf.zeros_like(second, tf.bool)
    )
    return (
        tf.boolean_mask(x, kept),
        tf.boolean_mask(row, kept),
        tf.boolean_mask(order, kept),
    )


def _find(x, keys, values, other):
    """The value of each key, or its element of `other`."""
    at = tf.searchsorted(tf.constant(keys, x.dtype), x)
    at = tf.minimum(at, len(keys) - 1)
    found = tf.gather(keys, at) == x
    values = tf.gather(values, at)
    return tf.where(tf.reshape(found, (-1, *[1] * (values.ndim - 1))), values, other)


def _hangul(first, second):
    """Syllables of Korean that two parts compose, 0 for none."""
    consonant, vowel = first - _L, second - _V
    both = (consonant >= 0) & (consonant < _NUM_L) & (vowel >= 0) & (vowel < _NUM_V)
    syllable = _HANGUL + (consonant * _NUM_V + vowel) * _NUM_T
    open_one, end = first - _HANGUL, second - _T
    longer = (open_one >= 0) & (open_one < _NUM_HANGUL) & (open_one % _NUM_T == 0)
    longer &= (end > 0) & (end < _NUM_T)
    return tf.where(both, syllable, tf.where(longer, first + end, 0))
