"""Tags of words in a cell: reading, repair, and the entities that they mark."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from mbm_keras.tag_scheme import OUTSIDE
from mbm_keras.tag_scheme import kind_of


def read(cell: Any) -> list[str]:
    """The tags of a cell: a list, JSON, or a text of tags with spaces between them."""
    if cell is None:
        return []
    if not isinstance(cell, str):
        return [str(tag) for tag in cell]
    text = cell.strip()
    if text.startswith("["):
        try:
            return [str(tag) for tag in json.loads(text)]
        except ValueError:
            pass
    return text.split()


def repair(tags: Sequence[str]) -> list[str]:
    """Tags in which an entity begins where it begins.

    An `I-` or `E-` without a `B-` or `I-` of its label before it begins an entity, as
    in `conlleval`: it becomes `B-` or `S-`.
    """
    fixed, before = [], (OUTSIDE, "")
    for tag in tags:
        kind, label = kind_of(tag)
        goes_on = before[0] in ("B", "I") and before[1] == label
        if kind in ("I", "E") and not goes_on:
            kind = "B" if kind == "I" else "S"
            tag = f"{kind}-{label}"
        fixed.append(tag)
        before = kind, label
    return fixed


def find_entities(
    tags: tf.Tensor, own: tf.Tensor, pairs: tf.Tensor, names: Sequence[str]
) -> dict[str, tf.RaggedTensor]:
    """The entities of sentences, in a graph.

    Args:
        tags: `(batch, words)` int32, ids from 1 on, 0 = padding.
        own: `(batch, words)` float32, the probability of each tag.
        pairs: `(batch, words)` float32, that of each tag and the one before.
        names: The tags in the order of their ids.

    Returns:
        By name, ragged `(batch, entities)`: `label`, strings; `first` and `last`, int64
        index of the first and the last word; `probability`, that all words of the
        entity have these tags.
    """
    kinds, labels = zip(*map(kind_of, names), strict=True)
    unique = sorted(set(labels))
    label = tf.gather(tf.constant([-1, *map(unique.index, labels)]), tags)
    kind = tf.gather(tf.constant(["", *kinds]), tags)

    def is_any(x, wanted):
        return tf.reduce_any([x == one for one in wanted], axis=0)

    inside = is_any(kind, "BIES")
    # A tag of no scheme marks its word alone.
    inside |= (kind == "") & (tags > 0)
    before = tf.pad(is_any(kind, "BI")[:, :-1], [[0, 0], [1, 0]])
    same = tf.pad(label[:, 1:] == label[:, :-1], [[0, 0], [1, 0]])
    goes_on = is_any(kind, "IE") & before & same
    first = inside & ~goes_on
    last = inside & ~tf.pad(goes_on[:, 1:], [[0, 0], [0, 1]])
    # p(y_i .. y_j) = p(y_i) prod p(y_t-1, y_t) / p(y_t-1)
    log_own = tf.math.log(tf.maximum(own, 1e-30))
    log_pair = tf.math.log(tf.maximum(pairs, 1e-30))
    step = log_pair - tf.pad(log_own[:, :-1], [[0, 0], [1, 0]])
    total = tf.cumsum(tf.where(goes_on, step, 0.0), axis=1)
    mask = tf.ragged.boolean_mask
    place = tf.broadcast_to(tf.range(tf.shape(tags, tf.int64)[1]), tf.shape(tags))
    spread = mask(total, last) - mask(total, first) + mask(log_own, first)
    return {
        "label": mask(tf.gather(tf.constant(["", *unique]), label + 1), first),
        "first": mask(place, first),
        "last": mask(place, last),
        "probability": tf.minimum(tf.exp(spread), 1.0),
    }


def entities_of(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Label, first and last word of the entities of one sentence, as `find_entities`.

    Args:
        tags: The tags of its words.
    """
    ids = {tag: i for i, tag in enumerate(dict.fromkeys(tags), 1)}
    if not ids:
        return []
    row = tf.constant([[ids[tag] for tag in tags]])
    ones = tf.ones_like(row, tf.float32)
    found = find_entities(row, ones, ones, list(ids))
    parts = (found[name][0].numpy().tolist() for name in ("label", "first", "last"))
    return [(label.decode(), a, b) for label, a, b in zip(*parts, strict=True)]


def to_ids(rows: Sequence[Sequence[str]], names: Sequence[str], length: int):
    """Ids `(rows, length)` int32 from 1 on; one more than there are names if unknown.

    Args:
        rows: Tags by sentence; what is beyond the length is cut.
        names: The tags in the order of their ids.
        length: Number of words.
    """
    ids = {tag: i for i, tag in enumerate(names, 1)}
    encoded = np.zeros((len(rows), length), "int32")
    for row, tags in zip(encoded, rows, strict=True):
        known = [ids.get(tag, len(names) + 1) for tag in tags[:length]]
        row[: len(known)] = known
    return encoded
