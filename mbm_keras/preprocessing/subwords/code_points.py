"""A change of each character of a text, as a table that a graph looks into."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_COUNT = 0x110000  # code points of Unicode
_PAGE = 256
# Above the first range and outside of the second, all characters of a page are of one
# kind: not assigned, or private.
_WRITTEN = ((0, 0x32400), (0xE0000, 0xE1000))
_SURROGATES = range(0xD800, 0xE000)


class CodePoints(tf.Module):
    """Maps each character of texts to no, one or several characters.

    The table has pages of 256 characters; pages that hold the same are stored once.

    Args:
        change: Maps a string of one character to a string. It is called once for each
            code point, here.
    """

    def __init__(self, change: Callable[[str], str]):
        super().__init__(name="code_points")
        table, rows = _make_table(change)
        offsets = np.arange(0, _COUNT, _PAGE, dtype="int32")[:, None]
        pages = table.reshape(-1, _PAGE)
        same = (pages == offsets + np.arange(_PAGE)).all(axis=1)
        stored = np.where(same[:, None], pages - offsets, pages)
        unique, page = np.unique(stored, axis=0, return_inverse=True)
        self.page = tf.constant(page.reshape(-1) * _PAGE, tf.int32)
        self.offset = tf.constant(np.where(same, offsets[:, 0], 0), tf.int32)
        self.table = tf.constant(unique.reshape(-1), tf.int32)
        self.values = tf.constant([ord(c) for row in rows for c in row] or [0])
        self.counts = tf.constant([len(row) for row in rows], tf.int32)
        self.starts = tf.cumsum(self.counts, exclusive=True)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Changes `(batch,)` strings of valid UTF-8."""
        splits, points = tf.raw_ops.UnicodeDecode(
            input=texts, input_encoding="UTF-8", errors="replace", Tsplits=tf.int32
        )
        high, low = points // _PAGE, points % _PAGE
        new = tf.gather(self.table, tf.gather(self.page, high) + low)
        new = tf.where(new < 0, new, new + tf.gather(self.offset, high))
        points, splits = tf.cond(
            tf.reduce_any(new < 0),
            lambda: self._insert_rows(new, splits),
            lambda: (new, splits),
        )
        return tf.raw_ops.UnicodeEncode(
            input_values=points, input_splits=splits, output_encoding="UTF-8"
        )

    def _insert_rows(self, points, splits):
        """Negative ones are rows of the table: `-1 - row`."""
        row = tf.maximum(-1 - points, 0)
        single = points >= 0
        counts = tf.where(single, 1, tf.gather(self.counts, row))
        ends = tf.cumsum(counts)
        source = tf.repeat(tf.range(tf.size(points)), counts)
        step = tf.range(tf.size(source)) - tf.gather(ends - counts, source)
        at = tf.gather(tf.where(single, 0, tf.gather(self.starts, row)), source) + step
        points = tf.gather(points, source)
        points = tf.where(points >= 0, points, tf.gather(self.values, at))
        return points, tf.gather(tf.pad(ends, [[1, 0]]), splits)


def _make_table(change):
    """`(code points,)` int32, `-1 - row` for no or several; and the rows."""
    table, rows = np.arange(_COUNT, dtype="int32"), {"": 0}
    for first, last in _WRITTEN:
        for point in range(first, last):
            if point in _SURROGATES:
                continue
            new = change(chr(point))
            if len(new) == 1:
                table[point] = ord(new)
            else:
                table[point] = -1 - rows.setdefault(new, len(rows))
    outside = np.ones(_COUNT // _PAGE, bool)
    for first, last in _WRITTEN:
        outside[first // _PAGE : last // _PAGE] = False
    for page in np.flatnonzero(outside).tolist():
        if not change(chr(page * _PAGE)):
            table[page * _PAGE : (page + 1) * _PAGE] = -1
    return table, list(rows)
