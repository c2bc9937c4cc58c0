"""Pages as clients have them, in a graph: corners and texts, or a table of words.

It does what `data_pipelines.formats.page_files.read_page` does with these forms. What
it does not do needs a parser: JSON, XML, and tables with quoted cells.
"""

import tensorflow as tf

from mbm_keras.preprocessing.page_segments import Segments
from mbm_keras.preprocessing.page_segments import write_lines
from mbm_keras.preprocessing.trace_once import trace_once

_SPACES = r"[\s\p{Z}\x{85}\x{0b}\x{1c}-\x{1f}]+"
# What TensorFlow converts without an error, which would fail a whole request.
_NUMBER = r"[ \t]*-?[0-9]{1,12}(?:\.[0-9]{1,12})?[ \t]*"
_LINE = rf"{_NUMBER}(?:,{_NUMBER}){{7}},.*"
_CORNERS = 8  # numbers before the text of a line
_SHORT = 2  # characters of a text whose direction is not seen
_BOX = ("x0", "y0", "x1", "y1")
_SIZE = ("width", "height")


@trace_once(tf.TensorSpec((None,), tf.string))
def to_lines(pages: tf.Tensor) -> tf.Tensor:
    """Rewrites pages as `Page.to_bytes` writes them.

    Args:
        pages: `(batch,)` strings, valid UTF-8: lines `x1,y1,...,x4,y4,text`, or a
            table with the columns `word,x0,y0,x1,y1` in any order, and perhaps
            `width,height`.

    Returns:
        `(batch,)` strings. A page of another form remains as it is; so does one that
        `read_page` refuses, which then is not a valid page.
    """
    rows = _split_lines(pages)
    corners, is_corners = _read_corners(rows)
    table, is_table = _read_table(rows)
    return tf.where(is_corners, corners, tf.where(is_table, table, pages))


def _split_lines(pages):
    pages = tf.strings.regex_replace(pages, r"^\x{feff}", "")
    lines = tf.strings.split(tf.strings.regex_replace(pages, r"\r\n?", "\n"), "\n")
    blank = rf"(?:{_SPACES})?"
    is_blank = tf.ragged.map_flat_values(tf.strings.regex_full_match, lines, blank)
    return tf.ragged.boolean_mask(lines, ~is_blank)


def _read_corners(rows):
    """Pages as text, and which of them are lines of corners and valid, `(batch,)`."""
    is_row = tf.ragged.map_flat_values(tf.strings.regex_full_match, rows, _LINE)
    is_page = tf.reduce_all(is_row, axis=1) & (rows.row_lengths() > 0)
    rows = tf.ragged.boolean_mask(rows, is_row & is_page[:, None])
    cells = tf.strings.split(rows.flat_values, ",", maxsplit=_CORNERS)
    cells = cells.to_tensor(shape=(None, _CORNERS + 1))
    text = _join_spaces(cells[:, _CORNERS])
    numbers = _to_numbers(cells[:, :_CORNERS])
    x, y = numbers[:, ::2], numbers[:, 1::2]
    low = tf.stack([tf.reduce_min(x, axis=1), tf.reduce_min(y, axis=1)], axis=1)
    high = tf.stack([tf.reduce_max(x, axis=1), tf.reduce_max(y, axis=1)], axis=1)
    # From the first corner to the second one runs the upper edge of the text.
    is_long = tf.strings.length(text, unit="UTF8_CHAR") > _SHORT
    is_flat = tf.abs(x[:, 1] - x[:, 0]) >= tf.abs(y[:, 1] - y[:, 0])
    parts = [rows.with_flat_values(x) for x in (text, low, high, is_long & ~is_flat)]
    lines, good = write_lines(Segments(*parts), size=None)
    return lines, is_page & good


def _read_table(rows):
    """Pages as text, and which of them are tables and valid, `(batch,)`."""
    header = tf.strings.split(rows[:, :1].to_tensor(shape=(None, 1))[:, 0], ",")
    body = rows[:, 1:]
    cells = tf.strings.split(body.flat_values, ",")
    page = body.value_rowids()  # of each row
    table = cells.to_tensor()
    last = tf.maximum(tf.shape(table)[1] - 1, 0)
    table = tf.pad(table, [[0, 0], [0, tf.cast(last == 0, tf.int32)]])

    def column(name):
        is_name = header == name
        index = tf.argmax(tf.cast(is_name.to_tensor(shape=(None, None)), tf.int32), 1)
        index = tf.gather(tf.minimum(tf.cast(index, tf.int32), last), page)
        has = tf.reduce_any(is_name, axis=1)
        values = tf.gather(table, index, batch_dims=1)
        return tf.where(tf.gather(has, page), values, ""), has

    text, has_text = column("word")
    box, has_box = zip(*(column(name) for name in _BOX), strict=True)
    size, _ = zip(*(column(name) for name in _SIZE), strict=True)
    line, _ = column("line")
    box, size = tf.stack(box, axis=1), tf.stack(size, axis=1)
    number, maybe = rf"^{_NUMBER}$", rf"^(?:{_NUMBER})?$"
    is_row = tf.reduce_all(tf.strings.regex_full_match(box, number), axis=1)
    is_row &= tf.reduce_all(tf.strings.regex_full_match(size, maybe), axis=1)
    is_row &= tf.strings.regex_full_match(line, r"[ \t]*-?[0-9]*[ \t]*")
    is_row &= cells.row_lengths() == tf.gather(header.row_lengths(), page)
    is_row &= ~tf.strings.regex_full_match(body.flat_values, '.*".*')
    is_page = tf.reduce_all(body.with_flat_values(is_row), axis=1)
    is_page &= tf.reduce_all(tf.stack([has_text, *has_box]), axis=0)
    is_page &= body.row_lengths() > 0
    keep = tf.gather(is_page, page)
    box = _to_numbers(tf.where(keep[:, None], box, "0"))
    size = _first_size(body, tf.where(keep[:, None], size, ""))
    text = tf.where(keep, _join_spaces(text), "")
    parts = (text, box[:, :2], box[:, 2:], tf.zeros_like(keep))
    lines, good = write_lines(Segments(*map(body.with_flat_values, parts)), size)
    return lines, is_page & good


def _first_size(body, cells):
    """Width and height of the first row of each page that has both, else 0."""
    has = tf.reduce_all(cells != "", axis=1)
    numbers = _to_numbers(tf.where(has[:, None], cells, "0"))
    rows = tf.ragged.boolean_mask(
        body.with_flat_values(numbers), body.with_flat_values(has)
    )
    return rows[:, :1].to_tensor(shape=(None, 1, 2))[:, 0]  # (batch, 2)


def _join_spaces(texts):
    return tf.strings.strip(tf.strings.regex_replace(texts, _SPACES, " "))


def _to_numbers(cells):
    return tf.strings.to_number(tf.strings.strip(cells), tf.float64)
