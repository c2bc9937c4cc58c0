"""Tables of characters of SentencePiece, in Python and as a step of a graph."""

import unicodedata

import numpy as np
import tensorflow as tf

_MOST_BYTES = 5  # of a letter with its marks that is looked up as a whole
_SHIFT = 2**21  # above every code point
_MARKS = range(0x300, 0x370)  # those of two bytes that follow letters


class Charsmap:
    """Maps a character by a table of SentencePiece.

    The table is a trie of bytes in a double array. A letter with its marks, of at most
    five bytes together, is looked up as a whole first; the first prefix in the table
    counts.

    Source: https://github.com/google/sentencepiece, `src/normalizer.cc`, as read by
    https://github.com/huggingface/spm_precompiled. Deviation: none.

    Args:
        data: The table as SentencePiece writes it.
    """

    def __init__(self, data: bytes):
        size = int.from_bytes(data[:4], "little")
        self.units = np.frombuffer(data[4 : 4 + size], "<u4").tolist()
        self.replacements = data[4 + size :]

    def __call__(self, character: str) -> str:
        """What one character is replaced by."""
        new = self._find(character.encode())
        return character if new is None else new

    def _find(self, key):
        """What the shortest prefix of bytes in the table is replaced by, or None."""
        units, node = self.units, 0
        node ^= _offset(units[0])
        for byte in key:
            node ^= byte
            if node >= len(units):
                return None
            unit = units[node]
            if unit & (1 << 31 | 0xFF) != byte:
                return None
            node ^= _offset(unit)
            if unit >> 8 & 1:
                start = units[node] & (2**31 - 1)
                end = self.replacements.index(b"\0", start)
                return self.replacements[start:end].decode()
        return None

    def compose(self, texts: tf.Tensor) -> tf.Tensor:
        """Replaces letters with marks after them, `(batch,)` strings."""
        pattern = rf"\C*[\x{{{_MARKS[0]:x}}}-\x{{{_MARKS[-1]:x}}}]\C*"
        marks = tf.reduce_any(tf.strings.regex_full_match(texts, pattern))
        return tf.cond(marks, lambda: self._compose(texts), lambda: texts)

    def _compose(self, texts):
        keys, values = self._pairs()
        splits, x = tf.raw_ops.UnicodeDecode(
            input=texts, input_encoding="UTF-8", errors="replace", Tsplits=tf.int64
        )
        x = tf.pad(x, [[0, 1]])
        row_end = tf.scatter_nd(
            splits[1:, None], tf.ones_like(splits[1:]), [tf.size(x)]
        )
        row_end = row_end[1:] > 0  # of each point but the last: its text ends
        mark = (x >= _MARKS[0]) & (x <= _MARKS[-1])
        follows = mark[1:] & ~row_end
        # A letter that is in the table itself is the shorter prefix.
        alone = self._letters()
        nearest = tf.minimum(tf.searchsorted(alone, x[:-1]), len(alone) - 1)
        prefix = tf.gather(alone, nearest) == x[:-1]
        pair = tf.cast(x[:-1], tf.int64) * _SHIFT + tf.cast(x[1:], tf.int64)
        at = tf.minimum(tf.searchsorted(tf.constant(keys), pair), len(keys) - 1)
        found = (tf.gather(keys, at) == pair) & follows & ~mark[:-1]
        found |= prefix & follows
        # Marks after the pair are lost, or there are too many bytes.
        more = [tf.pad(follows[k:], [[0, k]]) for k in (1, 2)]
        size = 3 + tf.cast(x[:-1] > 0x7F, tf.int32) + 2 * tf.cast(more[0], tf.int32)
        size += 2 * tf.cast(more[0] & more[1], tf.int32)
        found &= size <= _MOST_BYTES
        new = tf.where(found & ~prefix, tf.gather(values, at), x[:-1])
        lost = tf.pad(found, [[1, 0]])[:-1] | (tf.pad(found & more[0], [[2, 0]])[:-2])
        ends = tf.pad(tf.cumsum(tf.cast(~lost, tf.int64)), [[1, 0]])
        return tf.raw_ops.UnicodeEncode(
            input_values=tf.boolean_mask(new, ~lost),
            input_splits=tf.gather(ends, splits),
            output_encoding="UTF-8",
        )

    def _letters(self):
        """Letters of two bytes that the table has alone."""
        points = range(0xA0, 0x300)
        found = [p for p in points if self._find(chr(p).encode()) is not None]
        return np.array(found or [0], "int32")

    def _pairs(self):
        """Letters with one mark that the table has, and what they become."""
        bases = set()
        for point in range(0xC0, 0x2000):
            apart = unicodedata.normalize("NFD", chr(point))
            base = unicodedata.normalize("NFC", apart[:-1])
            if len(base) == 1 and len(base.encode()) + 2 <= _MOST_BYTES:
                bases.add(base)
        pairs = {}
        for base in bases:
            for mark in map(chr, _MARKS):
                new = self._find((base + mark).encode())
                if new is not None and len(new) == 1:
                    pairs[ord(base) * _SHIFT + ord(mark)] = ord(new)
        keys = sorted(pairs)
        return (
            np.array(keys or [0], "int64"),
            np.array([pairs[key] for key in keys] or [0], "int32"),
        )


def _offset(unit):
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)
