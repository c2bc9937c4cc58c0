"""Precision, recall and F1 of entities that tags of words mark."""

import collections
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from mbm_keras.tag_scheme import kind_of

Entity = tuple[str, int, int]


def entity_scores(
    truth: Iterable[Sequence[str]],
    predicted: Iterable[Sequence[str]],
    *,
    strict: bool = False,
) -> dict[str, Any]:
    """Scores of the entities of sentences: one is right as a whole, or wrong.

    Source: Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared
    Task", https://arxiv.org/abs/cs/0306050, section 2.4, and its script `conlleval`;
    the values are those of `seqeval`. Deviation: none.

    Args:
        truth: Tags by sentence, such as `["B-city", "I-city", "O"]`.
        predicted: Likewise, as many tags for each sentence.
        strict: False for an entity that begins wherever its label begins, as in
            `conlleval`; True for entities whose tags follow their scheme alone, where
            an `I-` without its `B-` begins nothing.

    Returns:
        `precision`, `recall` and `f1` over all entities, 0 where there is none; and
        `classes`, by label the same and `support`, the number of true entities.
    """
    truth, predicted = list(truth), list(predicted)
    scheme = _has_ends([*truth, *predicted])
    find = (lambda tags: find_strict(tags, scheme)) if strict else find_entities
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for right, given in zip(truth, predicted, strict=True):
        true, found = set(find(right)), set(find(given))
        for number, part in enumerate((true & found, found, true)):
            for label, _, _ in part:
                counts[label][number] += 1
    total = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0]
    classes = {
        label: {**_scores(*counts[label]), "support": counts[label][2]}
        for label in sorted(counts)
    }
    return {**_scores(*total), "classes": classes}


def find_entities(tags: Sequence[str]) -> list[Entity]:
    """Label, first and last word of the entities of a sentence, as `conlleval` does.

    Args:
        tags: The tags of its words.
    """
    found, begin, before = [], None, ("O", "")
    for position, tag in enumerate([*tags, "O"]):
        kind, label = kind_of(tag)
        changed = before[1] != label
        ends = before[0] != "O" and (
            before[0] in ("E", "S") or kind in ("B", "S", "O") or changed
        )
        if begin is not None and ends:
            found.append((before[1], begin, position - 1))
            begin = None
        starts = kind in ("B", "S") or (before[0] in ("E", "S", "O")) or changed
        if kind != "O" and starts:
            begin = position
        before = kind, label
    return found


def find_strict(tags: Sequence[str], has_ends: bool = False) -> list[Entity]:
    """The same for entities whose tags follow their scheme.

    Args:
        tags: The tags of the words of a sentence.
        has_ends: True for BIOES, where an entity ends with `E-` or is an `S-`.
    """
    found, kinds = [], [kind_of(tag) for tag in tags]
    for begin, (kind, label) in enumerate(kinds):
        if kind == "S":
            found.append((label, begin, begin))
        if kind != "B":
            continue
        end = begin
        while end + 1 < len(kinds) and kinds[end][0] != "E":
            if kinds[end + 1] not in (("I", label), ("E", label)):
                break
            end += 1
        if not has_ends or kinds[end][0] == "E":
            found.append((label, begin, end))
    return found


def _has_ends(rows):
    return any(kind_of(tag)[0] in ("E", "S") for tags in rows for tag in tags)


def _scores(right, found, true):
    precision = right / found if found else 0.0
    recall = right / true if true else 0.0
    total = precision + recall
    f1 = 2 * precision * recall / total if total else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
