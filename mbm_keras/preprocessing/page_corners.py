"""Pages as corners and texts, in a graph: what a served model takes from a client.

It does what `data_pipelines.formats.page_files.read_page` does with such a file.
"""

import tensorflow as tf

# What TensorFlow converts without an error, which would fail a whole request.
_NUMBER = r"[ \t]*-?[0-9]{1,12}(?:\.[0-9]{1,12})?[ \t]*"
_LINE = rf"{_NUMBER}(?:,{_NUMBER}){{7}},.*"
_SPACES = r"[\s\p{Z}\x{85}\x{0b}\x{1c}-\x{1f}]+"
_CORNERS = 8  # numbers before the text of a line
_SHORT = 2  # characters of a text whose direction is not seen
_UNITS = 1_000.0
_FAR = 1e9


def to_lines(pages: tf.Tensor) -> tf.Tensor:
    """Rewrites pages of lines `x1,y1,...,x4,y4,text` as `Page.to_bytes` writes them.

    Args:
        pages: `(batch,)` strings, valid UTF-8.

    Returns:
        `(batch,)` strings. A page of another form remains as it is; so does one that
        `read_page` refuses, which then is no valid page.
    """
    rows = _split_lines(pages)
    is_row = tf.ragged.map_flat_values(tf.strings.regex_full_match, rows, _LINE)
    is_page = tf.reduce_all(is_row, axis=1) & (rows.row_lengths() > 0)
    rows = tf.ragged.boolean_mask(rows, is_row & is_page[:, None])
    cells = tf.strings.split(rows.flat_values, ",", maxsplit=_CORNERS)
    cells = cells.to_tensor(shape=(None, _CORNERS + 1))
    texts = tf.strings.regex_replace(cells[:, _CORNERS], _SPACES, " ")
    texts = tf.strings.strip(texts)
    has_text = texts != ""
    rows = tf.ragged.boolean_mask(rows, rows.with_flat_values(has_text))
    texts = rows.with_flat_values(tf.boolean_mask(texts, has_text))
    numbers = tf.boolean_mask(cells[:, :_CORNERS], has_text)
    numbers = tf.strings.to_number(tf.strings.strip(numbers), tf.float64)
    lines, good = _normalize(texts, numbers)
    return tf.where(is_page & good, lines, pages)


def _split_lines(pages):
    pages = tf.strings.regex_replace(pages, r"^\x{feff}", "")
    lines = tf.strings.split(tf.strings.regex_replace(pages, r"\r\n?", "\n"), "\n")
    blank = rf"(?:{_SPACES})?"
    is_blank = tf.ragged.map_flat_values(tf.strings.regex_full_match, lines, blank)
    return tf.ragged.boolean_mask(lines, ~is_blank)


def _normalize(texts, corners):
    """Pages as text, `(batch,)`, and whether they are valid.

    Args:
        texts: `(batch, rows)` ragged strings, words with a space between them.
        corners: `(all rows, 8)` float64.
    """
    x, y = corners[:, ::2], corners[:, 1::2]
    low = tf.stack([tf.reduce_min(x, axis=1), tf.reduce_min(y, axis=1)], axis=1)
    high = tf.stack([tf.reduce_max(x, axis=1), tf.reduce_max(y, axis=1)], axis=1)
    length = tf.strings.length(texts.flat_values, unit="UTF8_CHAR")
    is_flat = tf.abs(x[:, 1] - x[:, 0]) >= tf.abs(y[:, 1] - y[:, 0])
    sideways = tf.cast((length > _SHORT) & ~is_flat, tf.int32)
    number = tf.cast(texts.row_lengths(), tf.int32)
    size = tf.reduce_max(texts.with_flat_values(high), axis=1)  # (batch, 2)
    is_right = tf.reduce_all((high >= 0) & (high < _FAR) & (low > -_FAR), axis=1)
    good = tf.reduce_all(texts.with_flat_values(is_right), axis=1)
    good &= (number > 0) & tf.reduce_all(size > 0, axis=1)
    good &= 2 * tf.reduce_sum(texts.with_flat_values(sideways), axis=1) <= number

    # A word has the share of the box that its characters have.
    words = tf.strings.split(texts.flat_values, " ")  # (all rows, words)
    row = words.value_rowids()
    letters = tf.ragged.map_flat_values(tf.strings.length, words, unit="UTF8_CHAR")
    start = tf.cumsum(letters.flat_values + 1, exclusive=True)
    start -= tf.gather(start, tf.gather(words.row_starts(), row))
    start = tf.cast(start, tf.float64)
    end = start + tf.cast(letters.flat_values, tf.float64)
    step = (high - low)[:, 0] / tf.cast(tf.maximum(length, 1), tf.float64)
    step, x0 = tf.gather(step, row), tf.gather(low[:, 0], row)
    y0, y1 = tf.gather(low[:, 1], row), tf.gather(high[:, 1], row)
    box = tf.stack([x0 + start * step, y0, x0 + end * step, y1], axis=1)
    sides = tf.gather(tf.gather(size, texts.value_rowids()), row)
    box = _UNITS * box / tf.tile(tf.maximum(sides, 1e-9), [1, 2])
    box = tf.cast(tf.round(tf.clip_by_value(box, 0.0, _UNITS)), tf.int32)
    line = tf.gather(tf.ragged.range(number).flat_values, row)
    cells = tf.strings.as_string(tf.concat([box, line[:, None]], axis=1))
    cells = tf.concat([cells, words.flat_values[:, None]], axis=1)
    written = words.with_flat_values(tf.strings.reduce_join(cells, 1, separator=" "))
    written = tf.strings.reduce_join(written, axis=1, separator="\n")
    written = texts.with_flat_values(written)
    return tf.strings.reduce_join(written, axis=1, separator="\n"), good
