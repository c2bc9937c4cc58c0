"""Which tag may follow which: BIO, BIOES, or any.

    B-city I-city O      an entity begins, goes on, and there is none
    B-city E-city S-day  an entity begins, ends; and one of a single word

Source: Ramshaw and Marcus 1995, "Text Chunking using Transformation-Based Learning",
https://arxiv.org/abs/cmp-lg/9505040, for I and O; Tjong Kim Sang and Veenstra 1999,
"Representing Text Chunks", https://arxiv.org/abs/cs/9907006, for the others. Deviation:
none.
"""

from collections.abc import Sequence

import numpy as np

OUTSIDE = "O"


def scheme_of(tags: Sequence[str]) -> str:
    """The scheme of a list of tags.

    Args:
        tags: All tags that are used.

    Returns:
        `"BIO"`, `"BIOES"`, or `"any"` for tags that are not of one of them.
    """
    kinds = {kind_of(tag)[0] for tag in tags}
    if "" in kinds:
        return "any"
    if kinds & {"E", "S"}:
        return "BIOES"
    return "BIO" if kinds & {"B", "I"} else "any"


def kind_of(tag: str) -> tuple[str, str]:
    """`("B", "city")` of `B-city`, `("O", "")` of `O`, `("", tag)` of another one."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    kind, dash, label = tag.partition("-")
    if dash and label and kind in ("B", "I", "E", "S"):
        return kind, label
    return "", tag


def may_follow(before: str, after: str, scheme: str) -> bool:
    """Whether a tag may come right after another one.

    Args:
        before: The tag before; `O` for the begin of a sentence.
        after: The tag after; `O` for the end of a sentence.
        scheme: What `scheme_of` returned.
    """
    if scheme == "any":
        return True
    (kind, label), (next_kind, next_label) = kind_of(before), kind_of(after)
    is_inside = kind in ("B", "I")
    continues = next_kind in ("I", "E")
    if continues:
        return is_inside and label == next_label
    return scheme == "BIO" or not is_inside


def find_allowed(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which transitions the scheme of some tags has.

    Args:
        tags: The tags in the order of their ids.

    Returns:
        transitions: `(tags, tags)` bool, from the first axis to the second.
        start: `(tags,)` bool, which tags may be those of a first word.
        end: `(tags,)` bool, which may be those of a last one.
    """
    scheme = scheme_of(tags)
    moves = [[may_follow(a, b, scheme) for b in tags] for a in tags]
    start = [may_follow(OUTSIDE, tag, scheme) for tag in tags]
    end = [may_follow(tag, OUTSIDE, scheme) for tag in tags]
    return np.array(moves, bool), np.array(start, bool), np.array(end, bool)
