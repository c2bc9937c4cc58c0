"""Text of a user, such as a label, in a plot."""

import functools
import unicodedata
from collections.abc import Callable
from collections.abc import Sequence
from typing import ParamSpec
from typing import TypeVar

import matplotlib
import matplotlib.font_manager
import matplotlib.ft2font

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST = 28  # characters
_NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters
# With these alphabets, if they are installed; the default font has Latin, Greek,
# Cyrillic, Arabic and Hebrew.
_MORE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC",
    "Source Han Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic",
    "Noto Sans Thai", "Noto Sans Devanagari", "Noto Emoji", "Symbola",
)  # fmt: skip


def plain(text: str, longest: int = _LONGEST) -> str:
    """Text as it is, on one line, cut where it is long. A dollar sign is a letter.

    Args:
        text: The text.
        longest: Most characters.
    """
    letters = (
        " " if unicodedata.category(x) in ("Cc", "Cs", "Zl") else x for x in text
    )
    text = "".join(letters).strip()
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return text.replace("$", r"\$")


def plain_labels(labels: Sequence[str]) -> list[str]:
    """Labels for an axis: `#3` for the fourth, where no font has its characters."""
    known = _characters()
    return [
        plain(label) if known.issuperset(map(ord, plain(label))) else f"#{i}"
        for i, label in enumerate(map(str, labels))
    ]


def all_fonts(plot: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that makes a figure: its text uses `fonts`."""

    @functools.wraps(plot)
    def draw(*args: P.args, **options: P.kwargs) -> R:
        with matplotlib.rc_context({"font.family": fonts()}):
            return plot(*args, **options)

    return draw


@functools.cache
def fonts() -> list[str]:
    """Names of fonts that are installed, in the order in which they are tried."""
    installed = set(matplotlib.font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _MORE_FONTS if name in installed)]


@functools.cache
def _characters():
    """The characters that can be drawn."""
    find = matplotlib.font_manager.findfont
    paths = [find(name) for name in fonts()]
    return {x for path in paths for x in matplotlib.ft2font.FT2Font(path).get_charmap()}
