"""The picture of a page with what was found on it."""

import dataclasses

import numpy as np
import pytest
from matplotlib import patches

from mbm_keras.evaluation import PageAnswer
from mbm_keras.evaluation import page_plot

PAGE = PageAnswer(
    "row 3",
    ("TOTAL", "$9.00"),
    ((10, 20, 90, 40), (500, 20, 590, 40)),
    (
        {"label": "date", "text": "", "box": [-1] * 4, "probability": 0.0},
        {"label": "total", "text": "$9.00", "box": [500, 20, 590, 40],
         "probability": 0.75},
    ),
)  # fmt: skip


def texts(panel):
    return [one.get_text() for one in panel.texts]


def test_a_value_has_a_box_with_its_probability_and_one_that_is_not_found_has_none():
    sheet, _ = page_plot(PAGE).axes
    boxes = [x.get_bbox().bounds for x in sheet.patches]
    assert len(boxes) == 2 and all(
        x < 500 and y < 20 and x + width > 590 and y + height > 40
        for x, y, width, height in boxes
    )
    assert [x for x in texts(sheet) if "0." in x] == ["total 0.75"]


def test_the_list_begins_with_the_surest_value_and_has_what_is_not_found():
    _, table = page_plot(PAGE).axes
    assert texts(table) == ["total", "0.75", r"\$9.00", "date", "0.00", "not found"]
    widths = [x.get_width() for x in table.patches if isinstance(x, patches.Rectangle)]
    assert widths == pytest.approx([1.0, 0.75, 1.0, 0.0])


def test_the_words_are_drawn_where_there_is_no_picture():
    assert {"TOTAL", r"\$9.00"} <= set(texts(page_plot(PAGE).axes[0]))
    pixels = np.zeros((30, 20, 3), "uint8")
    sheet, _ = page_plot(dataclasses.replace(PAGE, pixels=pixels)).axes
    assert len(sheet.images) == 1 and texts(sheet) == ["total 0.75"]


def test_a_page_on_which_nothing_is_found_is_drawn():
    assert page_plot(dataclasses.replace(PAGE, found=()))._repr_png_()
