"""A page with what was found on it, and how sure that is."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patches

from mbm_keras.evaluation.plot_text import all_fonts
from mbm_keras.evaluation.plot_text import plain
from mbm_keras.evaluation.plots import INK
from mbm_keras.evaluation.plots import SOFT
from mbm_keras.evaluation.plots import Figure

_UNITS = 1_000  # of boxes, in a page's width or height
_COLORS = ("#2f6fde", "#d1495b", "#2a9d6f", "#b07d00", "#7b4fc9", "#00798c", "#c2571a")
_HEIGHT = 7.0  # inches
_LIKE_A4 = 2**0.5  # height of a page without a picture, in widths
_MOST_ROWS = 30  # of the list
_LONGEST = 46  # characters of a value in it


@dataclasses.dataclass(frozen=True)
class PageAnswer:
    """A page and what was found on it.

    Args:
        title: Heading.
        words: The words of the page.
        boxes: `(x0, y0, x1, y1)` of each, in thousandths of the page.
        found: `label`, `text`, `box` and `probability` of each field or entity; a box
            of -1 for what is not on the page.
        pixels: `(height, width, 3)` uint8, the picture of the page; None without one.
    """

    title: str
    words: Sequence[str]
    boxes: Sequence[Sequence[int]]
    found: Sequence[Mapping[str, Any]]
    pixels: np.ndarray | None = None


@all_fonts
def page_plot(page: PageAnswer) -> Figure:
    """The page with the boxes of what was found, and a list with the probabilities.

    Args:
        page: The page. Its words are drawn where it has no picture.

    Returns:
        A figure: on the left the page, a box in the color of its label around each
        value, filled the more the surer it is; on the right the values, the surest
        first, each with a bar from 0 to 1.
    """
    ratio = _LIKE_A4
    if page.pixels is not None:
        ratio = page.pixels.shape[0] / page.pixels.shape[1]
    width = min(max(_HEIGHT / ratio, 2.2), 9.0)
    figure = Figure(figsize=(width + 4.2, _HEIGHT), layout="constrained")
    sheet, table = figure.subplots(1, 2, width_ratios=[width, 4.2])
    sheet.set(xlim=(0, _UNITS), ylim=(_UNITS, 0), xticks=[], yticks=[])
    sheet.set_title(plain(page.title, 60), fontsize=9, color=INK)
    if page.pixels is None:
        _draw_words(sheet, page)
    else:
        sheet.imshow(page.pixels, extent=(0, _UNITS, _UNITS, 0), aspect="auto")
    labels = list(dict.fromkeys(one["label"] for one in page.found))
    colors = {x: _COLORS[i % len(_COLORS)] for i, x in enumerate(labels)}
    for one in page.found:
        if one["text"]:
            _draw_box(sheet, one, colors[one["label"]])
    _draw_list(table, page.found, colors)
    return figure


def _draw_words(sheet, page):
    points = 72 * _HEIGHT / _UNITS  # of a thousandth
    for word, (x0, y0, _, y1) in zip(page.words, page.boxes, strict=True):
        size = min(max(0.7 * points * (y1 - y0), 3.0), 10.0)
        where = {"va": "center", "clip_on": True}
        sheet.text(x0, (y0 + y1) / 2, plain(word), fontsize=size, color=INK, **where)


def _draw_box(sheet, one, color):
    x0, y0, x1, y1 = one["box"]
    corner, sides = (x0 - 4, y0 - 3), (x1 - x0 + 8, y1 - y0 + 6)
    sure = 0.05 + 0.3 * one["probability"]
    sheet.add_patch(patches.Rectangle(corner, *sides, fc=color, alpha=sure, ec="none"))
    sheet.add_patch(patches.Rectangle(corner, *sides, fc="none", ec=color, lw=1.3))
    text = f"{plain(one['label'])} {one['probability']:.2f}"
    background = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8}
    options = {"fontsize": 6.5, "color": color, "va": "bottom", "bbox": background}
    sheet.text(x0, y0 - 6, text, **options)


def _draw_list(table, found, colors):
    rows = sorted(found, key=lambda one: -one["probability"])[:_MOST_ROWS]
    table.set(xlim=(0, 1), ylim=(max(len(rows), 6) - 0.3, -0.9), xticks=[], yticks=[])
    table.set_frame_on(False)
    for i, one in enumerate(rows):
        color, share = colors[one["label"]], one["probability"]
        table.barh(i + 0.22, 1.0, height=0.1, color=SOFT, alpha=0.5)
        table.barh(i + 0.22, share, height=0.1, color=color)
        name, value = plain(one["label"]), plain(one["text"], _LONGEST)
        table.text(0, i - 0.2, name, fontsize=7, color=color, va="bottom")
        table.text(1, i - 0.2, f"{share:.2f}", fontsize=7, ha="right", va="bottom")
        shown = value or "not found"
        table.text(0, i + 0.1, shown, fontsize=8, color=INK if value else SOFT)
    if len(found) > len(rows):
        table.set_title(f"the surest {len(rows)} of {len(found)}", fontsize=8)
