"""Texts with their boxes to the words of pages, in a graph, as `make_page` does it."""

import dataclasses

import tensorflow as tf

_UNITS = 1_000.0
_FAR = 1e9


@dataclasses.dataclass(frozen=True)
class Segments:
    """Texts with boxes, by page.

    Args:
        text: `(batch, rows)` ragged strings, words with a space between them; an empty
            one is left out.
        low: `(batch, rows, 2)` ragged float64, x0 and y0 in the units of the page.
        high: `(batch, rows, 2)` ragged float64, x1 and y1.
        is_sideways: `(batch, rows)` ragged bool.
    """

    text: tf.RaggedTensor
    low: tf.RaggedTensor
    high: tf.RaggedTensor
    is_sideways: tf.RaggedTensor


def write_lines(
    segments: Segments, size: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes pages as lines `x0 y0 x1 y1 line word`, boxes in thousandths.

    Args:
        segments: The texts of the pages.
        size: `(batch, 2)` float64, width and height of each page; 0 or None for as far
            as its boxes go.

    Returns:
        `(batch,)` strings; and `(batch,)` bool, which pages are valid.
    """
    keep = segments.text != ""
    segments = Segments(
        *(
            tf.ragged.boolean_mask(getattr(segments, field.name), keep)
            for field in dataclasses.fields(segments)
        )
    )
    reach = tf.reduce_max(segments.high, axis=1)  # (batch, 2)
    if size is not None:
        reach = tf.where(tf.reduce_any(size != 0, 1, keepdims=True), size, reach)
    good = _find_valid(segments, reach)
    return _write(segments, tf.where(good[:, None], reach, 1.0)), good


def _find_valid(segments, size):
    low, high = segments.low.flat_values, segments.high.flat_values
    page = segments.text.value_rowids()
    inside = (low <= tf.gather(size, page)) & (high >= 0)
    right = inside & (low <= high) & (high < _FAR) & (low > -_FAR)
    right = segments.text.with_flat_values(tf.reduce_all(right, axis=1))
    number = tf.cast(segments.text.row_lengths(), tf.int32)
    sideways = tf.reduce_sum(tf.cast(segments.is_sideways, tf.int32), axis=1)
    good = tf.reduce_all(right, axis=1) & (2 * sideways <= number) & (number > 0)
    return good & tf.reduce_all(size > 0, axis=1)


def _write(segments, size):
    """A word has the share of the box of its text that its characters have."""
    text = segments.text
    low, high = segments.low.flat_values, segments.high.flat_values
    words = tf.strings.split(text.flat_values, " ")  # (all rows, words)
    row = words.value_rowids()
    letters = tf.ragged.map_flat_values(tf.strings.length, words, unit="UTF8_CHAR")
    start = tf.cumsum(letters.flat_values + 1, exclusive=True)
    start -= tf.gather(start, tf.gather(words.row_starts(), row))
    start = tf.cast(start, tf.float64)
    end = start + tf.cast(letters.flat_values, tf.float64)
    length = tf.strings.length(text.flat_values, unit="UTF8_CHAR")
    step = (high - low)[:, 0] / tf.cast(tf.maximum(length, 1), tf.float64)
    step, x0 = tf.gather(step, row), tf.gather(low[:, 0], row)
    y0, y1 = tf.gather(low[:, 1], row), tf.gather(high[:, 1], row)
    box = tf.stack([x0 + start * step, y0, x0 + end * step, y1], axis=1)
    sides = tf.gather(tf.gather(size, text.value_rowids()), row)
    box = _UNITS * box / tf.tile(sides, [1, 2])
    box = tf.cast(tf.round(tf.clip_by_value(box, 0.0, _UNITS)), tf.int32)
    line = tf.gather(tf.ragged.range(text.row_lengths()).flat_values, row)
    cells = tf.concat([box, tf.cast(line, tf.int32)[:, None]], axis=1)
    cells = [tf.strings.as_string(cells), words.flat_values[:, None]]
    cells = tf.strings.reduce_join(tf.concat(cells, axis=1), axis=1, separator=" ")
    lines = words.with_flat_values(cells)
    lines = text.with_flat_values(tf.strings.reduce_join(lines, 1, separator="\n"))
    return tf.strings.reduce_join(lines, axis=1, separator="\n")
