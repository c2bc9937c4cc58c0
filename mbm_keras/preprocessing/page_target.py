"""A target of a page: values of its key fields, or a tag for each of its words."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing import page_answers
from mbm_keras.preprocessing import page_fields
from mbm_keras.preprocessing import tags as tagging
from mbm_keras.preprocessing.page_words import parse
from mbm_keras.preprocessing.page_words import room_for
from mbm_keras.sentence_answers import Layout


class PageFields:
    """Key fields of a page, such as the total of a receipt, or a tag for each word.

    It comes from several columns: a value is a tuple of the cells of `columns`, the
    first of which is the page, as `PageWords` takes it, or None if it is unreadable.
    The words of a field are found on the page, see `page_fields.tags_of`; a row none of
    whose values is on its page cannot be learned from, and neither can one with another
    number of tags than words. An empty field is not on the page.

    Args:
        page: Column of the page.
        fields: Columns of the values; empty for tags.
        tags: Column of the tags, None for fields. Tags are a list, or a text with
            spaces between them.
        vocabulary: The tags in the order of their ids. Empty until `adapt`.
        sequence_length: Most words of a page. None until `adapt`.
        is_list: True if the cells of tags are lists, to which `restore` returns.

    Raises:
        ValueError: If there are neither fields nor tags, or both.
    """

    task = "understanding"
    output_kind = "numbers"
    labels = ()

    def __init__(
        self,
        page,
        fields=(),
        tags=None,
        vocabulary=(),
        sequence_length=None,
        is_list=False,
    ):
        if bool(fields) == (tags is not None):
            raise ValueError(
                "Expected either columns of fields or one of tags. Received: "
                f"fields={list(fields)}, tags={tags!r}."
            )
        self.page, self.fields, self.tags = page, tuple(fields), tags
        self.vocabulary = list(vocabulary)
        self.sequence_length = sequence_length
        self.is_list = is_list

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose cells are a value."""
        return (self.page, *(self.fields or (self.tags,)))

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of answers that have a column of their own, see `decode_rows`."""
        return self.fields[1:]

    @property
    def layout(self) -> Layout:
        """Where the parts of an answer are."""
        return Layout(0, len(self.vocabulary))

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {
            "tags": tuple(self.vocabulary),
            "sequence_length": self.sequence_length or room_for(0),
        }

    def adapt(self, values) -> None:
        """Learns the tags and the length from the training split.

        Raises:
            ValueError: If no row can be learned from.
        """
        rows = self._tag(values)
        self.sequence_length = room_for(max((len(row) for row, _ in rows), default=0))
        self.is_list = any(isinstance(v[-1], (list, tuple, np.ndarray)) for v in values)
        found = {tag for row, why in rows if not why for tag in row}
        if len(found) < 2:
            shown = "; ".join(sorted({why for _, why in rows if why})[:3])
            raise ValueError(
                f"Expected rows in the training split that {list(self.columns[1:])} "
                f"can be learned from. Received: {len(rows)} rows, none of them"
                f"{f': {shown}' if shown else ''}."
            )
        names = [f"{kind}-{field}" for field in self.fields for kind in "BI"]
        known = names or sorted(found - {tagging.OUTSIDE})
        self.vocabulary = [tagging.OUTSIDE, *known]

    def encode(self, values) -> np.ndarray:
        """`(rows, 1 + sequence_length)` int32: 0 and the tags.

        The first number is -1 where a row cannot be learned from. It is 0 where a page
        is None: the input sets that row aside and says why.
        """
        rows = self._tag(values)
        tags = [row for row, _ in rows]
        encoded = np.zeros((len(rows), 1 + self.sequence_length), "int32")
        encoded[:, 1:] = tagging.to_ids(tags, self.vocabulary, self.sequence_length)
        is_read = [value[0] is not None for value in values]
        encoded[[bool(why) for _, why in rows] & np.array(is_read, bool), 0] = -1
        return encoded

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.asarray(encoded)[:, 0] >= 0

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        return self._tag([value])[0][1]

    def is_empty(self, value) -> bool:
        """Whether a row has none of its values."""
        return all(cell is None or cell == "" or cell == [] for cell in value[1:])

    def count_kinds(self, values) -> dict[str, dict[str, int]]:
        """How the values of each field were found on their pages.

        Args:
            values: Tuples of the cells of `columns`.

        Returns:
            By field the number of values of each kind of `page_fields.Match`; empty for
            tags. Values of a page that cannot be read are left out.
        """
        if not self.fields:
            return {}
        counts = {name: dict.fromkeys(page_fields.KINDS, 0) for name in self.fields}
        for (words, boxes), value in zip(_read(values), values, strict=True):
            cells = self._cells(value) if words else {}
            for name, match in page_fields.tags_of(words, boxes, cells)[1].items():
                counts[name][match.kind] += 1
        return counts

    def decode(self, outputs, name) -> dict:
        """The tags of all words in one text, under `<name>_tags`, or `name` of tags.

        Values need the words of the page: see `decode_rows`.
        """
        words = tf.gather(tf.constant(["", *self.vocabulary]), self._ids(outputs))
        text = tf.strings.reduce_join(words, axis=1, separator=" ")
        own = f"{name}_tags" if self.fields else name
        return {own: tf.strings.strip(text)}

    def decode_rows(self, outputs, name, raw) -> dict:
        """What tags mark on each page, in a graph.

        Args:
            outputs: `(batch, size)`.
            name: Name of the output.
            raw: Raw values `(batch,)` by name of the column.

        Returns:
            What `decode` returns. Of the first field under `name`, of others under
            their own: the value, `""` for none; with `_probability`, that all of its
            words have their tags; `_words`, `(batch, 2)`, the index of the first and
            the last; and `_box`, `(batch, 4)`, x0, y0, x1, y1 in thousandths of the
            page; -1 for none. Of tags `<name>_text`, `_label` and these, with an axis
            of all entities.
        """
        found = page_answers.find(
            self._ids(outputs), self.layout, outputs, self.vocabulary, raw[self.page]
        )
        answers = self.decode(outputs, name)
        if not self.fields:
            return answers | {f"{name}_{key}": part for key, part in found.items()}
        for own, field in zip((name, *self.answers), self.fields, strict=True):
            best = page_answers.most_probable(found, field)
            answers[own] = best.pop("text")
            answers |= {f"{own}_{key}": part for key, part in best.items()}
        return answers

    def columns_of(self, answers, name) -> dict:
        """More columns of a table of predictions.

        Args:
            answers: What `decode_rows` returned, as arrays.
            name: Name of the output.

        Returns:
            Lists by name of the column: of each field the value, `_probability` and
            `_box`; of tags `_entities`, a list of dicts of `text`, `label`, `words`,
            `box` and `probability`.
        """
        if not self.fields:
            return {f"{name}_entities": page_answers.to_dicts(answers, name)}
        columns: dict = {}
        for own in (name, *self.answers):
            if own != name:
                columns[own] = self.restore(answers[own])
            shares = np.asarray(answers[f"{own}_probability"], "float64").round(6)
            columns[f"{own}_probability"] = shares
            columns[f"{own}_box"] = np.asarray(answers[f"{own}_box"]).tolist()
        return columns

    def entities_of(self, answers, name) -> list[list[dict]]:
        """What was found on each page: its fields, or all its entities.

        Args:
            answers: What `decode_rows` returned, as arrays.
            name: Name of the output.

        Returns:
            By page, dicts of `label`, `text`, `words`, `box` and `probability`. A field
            that is not found has an empty text.
        """
        if not self.fields:
            return page_answers.to_dicts(answers, name)
        owns = (name, *self.answers)
        return page_answers.fields_to_dicts(answers, owns, self.fields)

    def restore(self, answers) -> list:
        """Values, or tags as the cells were, from what `decode_rows` returned."""
        texts = [text.decode() for text in np.asarray(answers).tolist()]
        return [text.split() for text in texts] if self.is_list else texts

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "page": self.page,
            "fields": list(self.fields),
            "tags": self.tags,
            "vocabulary": self.vocabulary,
            "sequence_length": self.sequence_length,
            "is_list": self.is_list,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)

    def _ids(self, outputs):
        return tf.cast(tf.round(self.layout.tags(outputs)), tf.int32)

    def _cells(self, value):
        cells = zip(self.fields, value[1:], strict=True)
        return {name: str(cell) for name, cell in cells if cell not in (None, "")}

    def _tag(self, values):
        """The tags of each row, and why it cannot be learned from, else `""`."""
        rows = []
        for (words, boxes), value in zip(_read(values), values, strict=True):
            if not words:
                what = "is empty" if value[0] == b"" else "cannot be read"
                rows.append(([], f"its page {what}"))
            elif self.fields:
                tags, found = page_fields.tags_of(words, boxes, self._cells(value))
                lost = all(match.kind == "none" for match in found.values())
                rows.append((tags, "none of its values is on the page" * lost))
            else:
                tags, number = tagging.repair(tagging.read(value[-1])), len(words)
                why = (
                    f"{len(tags)} tags in {self.tags!r} for {number} words on the page"
                )
                rows.append((tags, why * (len(tags) != number)))
        return rows


def _read(values):
    """Words and boxes of the pages of values, none of a page that is not valid."""
    pages = [value[0] or b"" for value in values]
    words, boxes, _ = parse(tf.constant(pages, tf.string))
    texts = [[word.decode() for word in row] for row in words.to_list()]
    return list(zip(texts, boxes.to_list(), strict=True))
