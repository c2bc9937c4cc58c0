"""Regular expressions of tokenizer files, for the library of TensorFlow.

RE2, https://github.com/google/re2/wiki/Syntax, has no look-ahead, and its spaces are
those of ASCII.
"""

import re

# For a class: White_Space of Unicode, without and with the usual space.
OTHER_SPACE = (
    r"\t\n\x0b\x0c\r\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}"
    r"\x{205f}\x{3000}"
)
SPACE = r"\x20" + OTHER_SPACE
_AHEAD = r"\s+(?!\S)|"  # spaces, but the last one of a word


def translate(pattern: str) -> str:
    """A pattern of a tokenizer file in the syntax of RE2.

    Args:
        pattern: Without look-ahead, see `take_look_ahead`.

    Raises:
        ValueError: If it looks ahead or back.
    """
    if re.search(r"\(\?(<?[=!]|>)", pattern):
        raise ValueError(
            "Expected a pattern that looks neither ahead nor back, except "
            f"`{_AHEAD[:-1]}`. Received: {pattern!r}."
        )
    parts, inside = [], False
    for part in re.findall(r"\\u\{?[0-9A-Fa-f]+\}?|\\.|.", pattern, re.DOTALL):
        if part == "[" and not inside:
            inside = True
        elif part == "]" and inside:
            inside = False
        elif part == r"\s":
            part = SPACE if inside else f"[{SPACE}]"
        elif part == r"\S":
            part = f"[^{SPACE}]"
        elif part.startswith(r"\u"):
            part = r"\x{" + part[2:].strip("{}") + "}"
        parts.append(part)
    return "".join(parts)


def take_look_ahead(pattern: str) -> tuple[str, str]:
    r"""Takes the look-ahead out of the patterns of GPT-2, Llama 3 and others.

    `\s+(?!\S)` leaves the last of several spaces to the word that follows. The same
    comes out where such spaces are separated before the last one, first.

    Returns:
        The pattern without it, and one of two groups that a separator belongs between;
        empty where the pattern does not look ahead.
    """
    if _AHEAD not in pattern:
        return pattern, ""
    # Where line ends are words of their own, the last of several belongs to them.
    lines = r"\s*[\r\n]" in pattern
    last = SPACE.replace(r"\n", "").replace(r"\r", "") if lines else SPACE
    return pattern.replace(_AHEAD, ""), f"([{SPACE}])([{last}][^{SPACE}])"
