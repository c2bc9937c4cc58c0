"""Key fields of a page to tags of its words, and tags back to values.

A table of receipts has the total as a text, and not where on the page it is. `project`
finds the words; `values_of` reads the words that tags mark. Both know words and boxes
alone, in the order of the page.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from collections.abc import Sequence

from mbm_keras.preprocessing.tags import entities_of
from mbm_keras.tag_scheme import OUTSIDE

KINDS = ("whole", "inside", "part", "none")  # of `Match`
_LEAST = 0.6  # share of a value that words must have to be its part
# Letters and digits, and what separates digits of a number: 1,234.50
_COUNTS = re.compile(r"[^\W_]|(?<=\d)[.,](?=\d)")

_AROUND = " :;"  # belongs to the name before a value, or to what comes after it

Box = Sequence[float]
Span = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Match:
    """Where the value of a key is on a page.

    Args:
        spans: First and last word of each occurrence.
        kind: `"whole"` if the words are the value, apart from spaces, punctuation and
            case; `"inside"` if they hold it and more; `"part"` for the longest common
            match, where it is most of the value; `"none"`.
    """

    spans: tuple[Span, ...]
    kind: str


def project(words: Sequence[str], boxes: Sequence[Box], key: str, value: str) -> Match:
    """Finds the words of a value.

    Of several equal occurrences those count that have the name of the key on their
    line, as a total has `TOTAL`; all of them if none has.

    Args:
        words: The words of the page.
        boxes: `(x0, y0, x1, y1)` of each.
        key: Name of the key, such as `total`.
        value: Its value.

    Returns:
        A `Match`.
    """
    text, owner = _flatten(words)
    wanted, _ = _flatten([value])
    if not wanted or not text:
        return Match((), "none")
    starts = [m.start() for m in re.finditer(f"(?={re.escape(wanted)})", text)]
    spans = [(owner[s], owner[s + len(wanted) - 1]) for s in starts]
    whole = [
        span
        for s, span in zip(starts, spans, strict=True)
        if _is_edge(owner, s) and _is_edge(owner, s + len(wanted))
    ]
    if spans:
        kind = "whole" if whole else "inside"
        return Match(_on_line_of(key, words, boxes, whole or spans), kind)
    matcher = difflib.SequenceMatcher(None, text, wanted, autojunk=False)
    longest = matcher.find_longest_match()
    if longest.size < _LEAST * len(wanted):
        return Match((), "none")
    span = owner[longest.a], owner[longest.a + longest.size - 1]
    return Match((span,), "part")


def tags_of(
    words: Sequence[str], boxes: Sequence[Box], fields: Mapping[str, str]
) -> tuple[list[str], dict[str, Match]]:
    """BIO tags of the words of a page, from the values of its keys.

    Args:
        words: The words of the page.
        boxes: `(x0, y0, x1, y1)` of each.
        fields: Values by key. Where words belong to two keys, the first one has them.

    Returns:
        A tag for each word; and where each key was found.
    """
    tags = [OUTSIDE] * len(words)
    found = {key: project(words, boxes, key, value) for key, value in fields.items()}
    for key, match in found.items():
        for first, last in match.spans:
            if all(tag == OUTSIDE for tag in tags[first : last + 1]):
                inside = [f"I-{key}"] * (last - first)
                tags[first : last + 1] = [f"B-{key}", *inside]
    return tags, found


def values_of(
    words: Sequence[str], tags: Sequence[str], probabilities: Sequence[float]
) -> dict[str, tuple[str, Span, float]]:
    """The value of each key that tags mark: of several, the most probable one.

    Args:
        words: The words of the page.
        tags: The tag of each.
        probabilities: The probability of the tag of each.

    Returns:
        By key: the words with spaces between them, without colons around; the first and
        the last word; and the smallest probability of its words.
    """
    found: dict[str, tuple[str, Span, float]] = {}
    for key, first, last in entities_of(tags):
        sure = min(probabilities[first : last + 1])
        if key and (key not in found or sure > found[key][2]):
            text = " ".join(words[first : last + 1]).strip(_AROUND)
            found[key] = (text, (first, last), float(sure))
    return found


def _flatten(words):
    """Characters that count, in lower case, and the word of each."""
    text, owner = [], []
    for index, word in enumerate(words):
        found = "".join(_COUNTS.findall(word)).casefold()
        text.append(found)
        owner += [index] * len(found)
    return "".join(text), owner


def _is_edge(owner, position):
    """Whether a word ends before a character, or the page."""
    inner = 0 < position < len(owner)
    return not inner or owner[position] != owner[position - 1]


def _on_line_of(key, words, boxes, spans):
    names = [
        box
        for word, box in zip(words, boxes, strict=True)
        if key.casefold() in word.casefold()
    ]

    def has_name(span):
        _, top, _, bottom = boxes[span[0]]
        return any(y0 <= (top + bottom) / 2 <= y1 for _, y0, _, y1 in names)

    spans = list(dict.fromkeys(spans))
    return tuple([span for span in spans if has_name(span)] or spans)
