"""A target of a sentence: its intent, a tag for each of its words, or both."""

from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing import spaced_words
from mbm_keras.preprocessing import tags as tagging
from mbm_keras.preprocessing.targets import Label
from mbm_keras.preprocessing.text import is_utf_8
from mbm_keras.preprocessing.word_characters import count_words
from mbm_keras.sentence_answers import SCOPES
from mbm_keras.sentence_answers import Layout

_LONGEST = 256  # words, as for a text
_SHOWN = 60  # characters of a tag in a reason


class Utterance:
    """The intent of a sentence, the tags of its words, or both.

    It comes from several columns: a value is a tuple of the cells of `columns`. Tags
    are a list, or a text with spaces between them, as many as the text has words
    between spaces; a row with another number cannot be learned from. An `I-` without
    its `B-` counts as `B-`, see `tags.repair`. A tag that the training split does not
    have counts as wrong.

    Args:
        text: Column of the sentence.
        intent: Column of the intent, None without.
        tags: Column of the tags, None without.
        intents: The intents in the order of their ids. Empty until `adapt`, as are the
            next three.
        dtype: Type of the cells of intents, as for `Label`.
        vocabulary: The tags in the order of their ids.
        sequence_length: The most words of a sentence; what is beyond is cut.
        is_list: True if the cells of tags are lists, to which `restore` returns.
        scope: What decides whether a sentence has one of the intents, one of `SCOPES`.

    Raises:
        ValueError: If there is neither a column of intents nor one of tags, or no such
            scope.
    """

    task = "understanding"
    output_kind = "numbers"

    def __init__(
        self,
        text,
        intent=None,
        tags=None,
        intents=(),
        dtype="str",
        vocabulary=(),
        sequence_length=None,
        is_list=False,
        scope="energy",
    ):
        if (intent is None and tags is None) or scope not in SCOPES:
            raise ValueError(
                f"Expected a column of intents or of tags, and scope in {SCOPES}. "
                f"Received: intent={intent!r}, tags={tags!r}, scope={scope!r}."
            )
        self.text, self.intent, self.tags = text, intent, tags
        self.label = Label(intents, dtype)
        self.vocabulary = list(vocabulary)
        self.sequence_length = sequence_length
        self.is_list = is_list
        self.scope = scope

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose cells are a value."""
        names = (self.text, self.intent, self.tags)
        return tuple(name for name in names if name is not None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The intents, in the order of their logits."""
        return self.label.labels

    @property
    def layout(self) -> Layout:
        """Where the parts of an answer are."""
        return Layout(len(self.label.vocabulary), len(self.vocabulary))

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {
            "num_intents": len(self.label.vocabulary),
            "tags": tuple(self.vocabulary),
            "sequence_length": self.sequence_length or _LONGEST,
        }

    def adapt(self, values) -> None:
        """Learns intents, tags and the length from the training split.

        Raises:
            ValueError: If there are fewer than two intents, or two tags.
        """
        values = list(values)
        if self.intent is not None:
            self.label.adapt([v[1] for v in values if v[1] not in (None, "")])
        counts = count_words([value[0] or "" for value in values])
        self.sequence_length = min(_LONGEST, max(1, int(max(counts, default=1))))
        if self.tags is None:
            return
        self.is_list = any(isinstance(v[-1], (list, tuple, np.ndarray)) for v in values)
        found = set()
        for value, count in zip(values, counts, strict=True):
            tags = tagging.read(value[-1])
            if len(tags) == count:
                found.update(tagging.repair(tags))
        if len(found) < 2:
            raise ValueError(
                f"Expected two tags or more in the column {self.tags!r} of the "
                f"training split, in rows with as many tags as words in {self.text!r}. "
                f"Received: {sorted(found)} in {len(values)} rows."
            )
        self.vocabulary = sorted(found, key=lambda tag: (tag != tagging.OUTSIDE, tag))

    def encode(self, values) -> np.ndarray:
        """`(rows, 1 + sequence_length)` int32: the intent, or 0, and the tags.

        The first number is -1 where a row cannot be learned from.
        """
        values = list(values)
        length = self.sequence_length if self.tags is not None else 0
        encoded = np.zeros((len(values), 1 + length), "int32")
        if self.intent is not None:
            encoded[:, 0] = self.label.encode(
                ["" if value[1] is None else value[1] for value in values]
            )
        if self.tags is not None and values:
            rows = [tagging.repair(tagging.read(value[-1])) for value in values]
            encoded[:, 1:] = tagging.to_ids(rows, self.vocabulary, length)
            numbers = np.array([len(row) for row in rows])
            wrong = numbers != count_words([value[0] or "" for value in values])
            encoded[wrong, 0] = -1
        return encoded

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded values a model can learn from."""
        return np.asarray(encoded)[:, 0] >= 0

    def explain(self, value) -> str:
        """Why a model cannot learn from a value."""
        if self.tags is not None:
            number = len(tagging.read(value[-1]))
            words = int(count_words([value[0] or ""])[0])
            if number != words:
                return (
                    f"{number} tags in {self.tags!r} for {words} words in {self.text!r}"
                )
        if self.label.encode([value[1]])[0] < 0:
            return f"{str(value[1])[:_SHOWN]!r} is not an intent of the training split"
        return ""

    def is_empty(self, value) -> bool:
        """Whether a value lacks its intent or its tags."""
        return any(cell is None or cell == "" or cell == [] for cell in value[1:])

    def count_repaired(self, values) -> int:
        """How many sentences have an `I-` without its `B-`."""
        if self.tags is None:
            return 0
        rows = [tagging.read(value[-1]) for value in values]
        return sum(tagging.repair(row) != row for row in rows)

    def decode(self, outputs, name) -> dict:
        """Answers `(batch, size)` to an intent, or tags, and what belongs to them.

        Where there are intents: `name`; `<name>_probabilities`; `<name>_in_scope` bool,
        and `<name>_scope`, how far above the threshold. Where there are tags: all of
        them in one text, as in a cell, under the name of their column.
        """
        answers = {}
        if self.intent is not None:
            answers = self.label.decode(self.layout.intents(outputs), name)
            margin = self.layout.margins(outputs)[:, SCOPES.index(self.scope)]
            answers |= {f"{name}_in_scope": margin >= 0, f"{name}_scope": margin}
        if self.tags is not None:
            tags = self._ids(outputs)
            words = tf.gather(tf.constant(["", *self.vocabulary]), tags)
            text = tf.strings.reduce_join(words, axis=1, separator=" ")
            answers[self._tags_name(name)] = tf.strings.strip(text)
        return answers

    def decode_rows(self, outputs, name, raw) -> dict:
        """What `decode` returns, and the entities of each sentence, in a graph.

        Args:
            outputs: `(batch, size)`.
            name: Name of the output.
            raw: Raw values `(batch,)` by name of the column.

        Returns:
            Of the entities, under the name of the column of tags and `_text`, `_label`,
            `_from`, `_to` (characters, the second is the one after the last) and
            `_probability`: `(batch, most)`, filled with `""`, -1 and 0.
        """
        answers = self.decode(outputs, name)
        if self.tags is None:
            return answers
        layout = self.layout
        text = tf.where(is_utf_8(raw[self.text]), raw[self.text], "")
        begin, end = spaced_words.find(text)
        found = tagging.find_entities(
            self._ids(outputs),
            layout.probabilities(outputs),
            layout.pairs(outputs),
            self.vocabulary,
        )
        # A word for each index, also in a batch without words.
        begin, end = (tf.pad(x.to_tensor(), [[0, 0], [0, 1]]) for x in (begin, end))
        first = found["first"].to_tensor(default_value=0)
        last = found["last"].to_tensor(default_value=0)
        label = found["label"].to_tensor(default_value="")
        start = tf.gather(begin, first, batch_dims=1)
        stop = tf.gather(end, last, batch_dims=1)
        is_entity = label != ""
        texts = tf.broadcast_to(text[:, None], tf.shape(label))
        texts = tf.strings.substr(
            texts, start, tf.maximum(stop - start, 0), unit="UTF8_CHAR"
        )
        own = self._tags_name(name)
        return answers | {
            f"{own}_text": tf.where(is_entity, texts, ""),
            f"{own}_label": label,
            f"{own}_from": tf.where(is_entity, start, -1),
            f"{own}_to": tf.where(is_entity, stop, -1),
            f"{own}_probability": found["probability"].to_tensor(default_value=0.0),
        }

    def columns_of(self, answers, name) -> dict:
        """More columns of a table of predictions.

        Args:
            answers: What `decode_rows` returned, as arrays.
            name: Name of the output.

        Returns:
            Lists by name of the column: `<name>_in_scope`; and, under the name of the
            column of tags, the tags as the cells were, and `_entities`, a list of dicts
            of `text`, `label`, `from`, `to` and `probability`.
        """
        columns: dict = {}
        if self.intent is not None:
            columns[f"{name}_in_scope"] = np.asarray(answers[f"{name}_in_scope"])
        if self.tags is None:
            return columns
        own = self._tags_name(name)
        if own != name:
            columns[own] = self._cells(answers[own])
        keys = ("text", "label", "from", "to", "probability")
        parts = [np.asarray(answers[f"{own}_{key}"]).tolist() for key in keys]
        columns[f"{own}_entities"] = [
            [
                {
                    "text": text.decode(),
                    "label": label.decode(),
                    "from": start,
                    "to": stop,
                    "probability": round(probability, 6),
                }
                for text, label, start, stop, probability in zip(*row, strict=True)
                if label
            ]
            for row in zip(*parts, strict=True)
        ]
        return columns

    def restore(self, answers) -> list:
        """Intents, or tags, as `decode` returns them, in the type of the cells."""
        if self.intent is not None:
            return self.label.restore(answers)
        return self._cells(answers)

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "text": self.text,
            "intent": self.intent,
            "tags": self.tags,
            "intents": self.label.vocabulary,
            "dtype": self.label.dtype,
            "vocabulary": self.vocabulary,
            "sequence_length": self.sequence_length,
            "is_list": self.is_list,
            "scope": self.scope,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)

    def _tags_name(self, name):
        return name if self.intent is None else self.tags

    def _ids(self, outputs):
        return tf.cast(tf.round(self.layout.tags(outputs)), tf.int32)

    def _cells(self, texts):
        texts = [text.decode() for text in np.asarray(texts).tolist()]
        return [text.split() for text in texts] if self.is_list else texts
