"""The text of a page to its words, their boxes and their characters."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.page_forms import to_lines
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.word_characters import WordCharacters

_LINE = r"[0-9]{1,4} [0-9]{1,4} [0-9]{1,4} [0-9]{1,4} [0-9]{1,6} [^\s\p{Z}\x{85}]+"
_CELLS = 6  # of a line: a box, the line of text, a word
_BOX = 4
_ROOM = 512  # words


def room_for(longest: int) -> int:
    """Words of a page that a model takes, from the longest page of training."""
    return max(_ROOM, 2 * longest)


def parse(pages: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
    """Words and boxes of pages, in a graph.

    Args:
        pages: `(batch,)` strings, as for `PageWords`.

    Returns:
        words: `(batch, words)` strings, ragged; none of a page that is not valid.
        boxes: `(batch, words, 4)` int32, x0, y0, x1, y1 in thousandths of the page.
        good: `(batch,)` bool, which pages are valid and have a word.
    """
    lines = _lines(pages)
    right = tf.ragged.map_flat_values(tf.strings.regex_full_match, lines, _LINE)
    good = tf.reduce_all(right, axis=1) & (lines.row_lengths() > 0)
    lines = tf.ragged.boolean_mask(lines, right & good[:, None])
    cells = tf.strings.split(lines.flat_values, " ", maxsplit=_CELLS - 1)
    cells = cells.to_tensor(shape=(None, _CELLS))
    boxes = tf.strings.to_number(cells[:, :_BOX], tf.int32)
    return lines.with_flat_values(cells[:, -1]), lines.with_flat_values(boxes), good


class PageWords(tf.Module):
    """Splits a page into words and boxes, and looks up the words and their characters.

    A page is a text with a line `x0 y0 x1 y1 line word` for each word, boxes in
    thousandths of the page, as `data_pipelines.formats.page.Page.to_bytes` writes it;
    or lines `x1,y1,...,x4,y4,text`, or a table of words, see `page_forms`. Words are
    looked up as `WordCharacters` does.

    Args:
        sequence_length: Most words; `adapt` sets it to twice the longest page of the
            training split, and 512 at least, if it is None. A longer page is not cut:
            it cannot be decoded.
        words: Arguments of `WordCharacters`; None until `adapt`.

    Returns:
        From a page, `(sequence_length, 5 + word_length)` int32: the id of each word,
        its box, and the ids of its characters. 0 = padding, 1 = unknown. A page that is
        not valid UTF-8, has no word, too many words, or a line of another form, is
        corrupt.
    """

    modality = "page"
    pads_end = True
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, sequence_length=None, words=None):
        super().__init__(name="page_words")
        self.sequence_length = sequence_length
        self.words = WordCharacters() if words is None else WordCharacters(**words)
        self.array = None
        if words is not None:
            self._set()

    def adapt(self, values) -> None:
        """Learns words, characters and the length from pages of the training split.

        Raises:
            ValueError: If they hold no word.
        """
        words, _, _ = parse(tf.constant([v for v in values if v], tf.string))
        longest = int(tf.reduce_max(tf.concat([words.row_lengths(), [1]], 0)))
        self.sequence_length = self.sequence_length or room_for(longest)
        self.words.sequence_length = self.sequence_length
        self.words.adapt(_join(words).numpy().tolist())
        self._set()

    def _set(self):
        width = 1 + _BOX + self.words.word_length
        self.array = tf.TensorSpec((self.sequence_length, width), tf.int32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Pages to `(batch, sequence_length, 5 + word_length)`; which are decoded."""
        words, boxes, good = parse(batch)
        good &= words.row_lengths() <= self.sequence_length
        words, boxes = (tf.ragged.boolean_mask(x, good) for x in (words, boxes))
        arrays, _ = self.words.decode(_join(words))
        shape = (None, self.sequence_length, _BOX)
        arrays = [arrays[:, :, :1], boxes.to_tensor(shape=shape), arrays[:, :, 1:]]
        return _spread(tf.concat(arrays, axis=2), good), good

    def explain(self, value: bytes) -> str:
        """Why a page cannot be decoded."""
        if not is_utf_8(tf.constant([value]))[0]:
            return "not valid UTF-8"
        lines = _lines(tf.constant([value])).flat_values
        if not len(lines):
            return "no word"
        for number, good in enumerate(tf.strings.regex_full_match(lines, _LINE), 1):
            if not good:
                return f"line {number} is not `x0 y0 x1 y1 line word`"
        if len(lines) > self.sequence_length:
            return f"{len(lines)} words, and the model takes {self.sequence_length}"
        return ""

    def sizes(self) -> dict:
        """As of `WordCharacters`."""
        return self.words.sizes()

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {"sequence_length": self.sequence_length, "words": self.words.config()}

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def _lines(pages):
    """Lines of pages, `(batch, lines)` ragged; none of what is not valid UTF-8."""
    pages = to_lines(tf.where(is_utf_8(pages), pages, ""))
    lines = tf.strings.split(pages, "\n")
    return tf.ragged.boolean_mask(lines, lines != "")


def _join(words):
    """The words of pages with spaces between them, `(batch,)`."""
    return tf.strings.reduce_join(words, axis=1, separator=" ")


def _spread(arrays, good):
    """Arrays of the good rows at their rows, zeros for the others."""
    index = tf.cast(tf.where(good), tf.int32)
    shape = tf.concat([[tf.size(good)], tf.shape(arrays)[1:]], axis=0)
    spread = tf.scatter_nd(index, arrays, shape)
    return tf.ensure_shape(spread, (None, *arrays.shape[1:]))
