"""What tags mark on pages: texts, boxes and probabilities, in a graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing import tags as tagging
from mbm_keras.preprocessing.page_words import parse
from mbm_keras.sentence_answers import Layout

_AROUND = r"^[ :;]+|[ :;]+$"  # of a name before a value, as in `page_fields.values_of`
_PARTS = ("words", "box", "probability")
_BOX = 4
_FAR = 1_000  # the end of a page


def find(
    ids: tf.Tensor, layout: Layout, outputs: tf.Tensor, names: list, pages: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The entities of pages.

    Args:
        ids: `(batch, words)` int32, the tags.
        layout: Where the parts of an output are.
        outputs: `(batch, size)`.
        names: The tags in the order of their ids.
        pages: `(batch,)` strings, as for `PageWords`.

    Returns:
        By name, `(batch, entities)`, filled with `""`, 0 and -1: `label`, `text` and
        `probability`; `words` `(batch, entities, 2)` int32, the first and the last one;
        `box` `(batch, entities, 4)` int32, around all its words.
    """
    probabilities, pairs = layout.probabilities(outputs), layout.pairs(outputs)
    found = tagging.find_entities(ids, probabilities, pairs, names)
    words, boxes, _ = parse(pages)
    label = found["label"].to_tensor(default_value="")
    first, last = (
        tf.cast(found[key].to_tensor(default_value=0), tf.int32)
        for key in ("first", "last")
    )
    is_entity = label != ""
    text = tf.where(is_entity, _texts(words, first, last), "")
    box = _around(boxes, first, last)
    spans = tf.stack([first, last], axis=2)
    return {
        "label": label,
        "text": text,
        "words": tf.where(is_entity[:, :, None], spans, -1),
        "box": tf.where(is_entity[:, :, None], box, -1),
        "probability": found["probability"].to_tensor(default_value=0.0),
    }


def most_probable(found: dict[str, tf.Tensor], label: str) -> dict[str, tf.Tensor]:
    """The most probable entity of a label, by page.

    Args:
        found: What `find` returned.
        label: The label.

    Returns:
        `text`, `probability`, `words` and `box` without the axis of entities; `""`, 0
        and -1 where a page has none.
    """
    # An empty one at the end, since a page may be without entities.
    padded = {
        "text": tf.pad(found["text"], [[0, 0], [0, 1]], constant_values=""),
        "probability": tf.pad(found["probability"], [[0, 0], [0, 1]]),
        "words": tf.pad(found["words"], [[0, 0], [0, 1], [0, 0]], constant_values=-1),
        "box": tf.pad(found["box"], [[0, 0], [0, 1], [0, 0]], constant_values=-1),
    }
    is_other = tf.pad(found["label"] != label, [[0, 0], [0, 1]], constant_values=False)
    score = tf.where(is_other, -1.0, padded["probability"])
    best = tf.argmax(score, axis=1)
    return {key: tf.gather(part, best, batch_dims=1) for key, part in padded.items()}


def to_dicts(answers: Any, name: str) -> list[list[dict]]:
    """Entities as lists of dicts.

    Args:
        answers: Arrays as `find` returned them, each under `<name>_` and its own name.
        name: Name of the output.
    """
    keys = ("text", "label", "words", "box", "probability")
    parts = [np.asarray(answers[f"{name}_{key}"]).tolist() for key in keys]
    return [
        [
            {
                "text": text.decode(),
                "label": label.decode(),
                "words": words,
                "box": box,
                "probability": round(probability, 6),
            }
            for text, label, words, box, probability in zip(*row, strict=True)
            if label
        ]
        for row in zip(*parts, strict=True)
    ]


def fields_to_dicts(
    answers: Any, owns: Sequence[str], fields: Sequence[str]
) -> list[list[dict]]:
    """The fields of pages as lists of dicts, one for each field.

    Args:
        answers: Arrays as `most_probable` returned them: the text under the name of the
            answer, the other parts under `<name>_` and their own.
        owns: Names of the answers.
        fields: Names of their fields, likewise.
    """
    rows = []
    for own, field in zip(owns, fields, strict=True):
        parts = [np.asarray(answers[f"{own}_{key}"]).tolist() for key in _PARTS]
        texts = np.asarray(answers[own]).tolist()
        rows.append([
            {"text": text.decode(), "label": field}
            | dict(zip(_PARTS, row, strict=True))
            for text, *row in zip(texts, *parts, strict=True)
        ])  # fmt: skip
    return [list(row) for row in zip(*rows, strict=True)]


def _texts(words, first, last):
    """Words from the first to the last with spaces between, `(batch, entities)`."""
    page = tf.strings.reduce_join(words, axis=1, separator=" ")
    size = tf.ragged.map_flat_values(tf.strings.length, words, unit="UTF8_CHAR")
    size = tf.pad(size.to_tensor(), [[0, 0], [0, 1]])  # a word for each index
    end = tf.cumsum(size + 1, axis=1) - 1
    start = tf.gather(end - size, _within(first, end), batch_dims=1)
    length = tf.gather(end, _within(last, end), batch_dims=1) - start
    text = tf.broadcast_to(page[:, None], tf.shape(first))
    # A tag after the last word of a page, of an output that is not of this page.
    limit = tf.strings.length(text, unit="UTF8_CHAR")
    start = tf.minimum(start, limit)
    text = tf.strings.substr(text, start, tf.maximum(length, 0), unit="UTF8_CHAR")
    return tf.strings.regex_replace(text, _AROUND, "")


def _within(index, table):
    return tf.minimum(index, tf.shape(table)[1] - 1)


def _around(boxes, first, last):
    """The smallest box around the words from first to last, `(batch, entities, 4)`."""
    dense = boxes.to_tensor(shape=(None, None, _BOX))[:, None]  # (batch, 1, words, 4)
    index = tf.range(tf.shape(dense)[2])[None, None]
    inside = (index >= first[:, :, None]) & (index <= last[:, :, None])
    inside = inside[:, :, :, None]
    low = tf.reduce_min(tf.where(inside, dense[..., :2], _FAR), axis=2)
    high = tf.reduce_max(tf.where(inside, dense[..., 2:], 0), axis=2)
    return tf.concat([low, high], axis=2)
