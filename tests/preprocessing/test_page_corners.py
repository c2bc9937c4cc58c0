"""Corners and texts in a graph are what `read_page` makes of them."""

import pytest
import tensorflow as tf

from data_pipelines.formats.page_files import read_page
from mbm_keras.preprocessing.page_corners import to_lines

RECEIPT = (
    "72,25,326,25,326,64,72,64,TAN WOON YANN\n"
    "50,82,440,82,440,121,50,121,BOOK TA .K, SDN  BHD\n"
    "\n"
    "205,121,285,121,285,139,205,139,789417-W\n"
    "1,2,3,4,5,6,7,8,\n"
)
GOOD = {
    "words share a box, texts have commas, a line without text is left out": RECEIPT,
    "other ends of lines": RECEIPT.replace("\n", "\r\n"),
    "a mark of byte order": "\ufeff" + RECEIPT,
    "a slanted box, numbers with a point": "1.5,2,9,4,8,9.25,1,7,Zahlung für 日本 €",
    "a short text that is upright": "5,1,5,9,1,9,1,1,ab\n1,20,90,20,90,29,1,29,TOTAL",
}
REFUSED = {
    "sideways": "0,0,0,90,9,90,9,0,TOTAL OF ALL",
    "without a text": "1,2,3,4,5,6,7,8, ",
    "no area": "0,0,0,0,0,0,0,0,ab",
    "left of the page": "1,1,9,1,9,5,1,5,ab\n-9,1,-5,1,-5,5,-9,5,cd",
    "a line of another form": "1,1,9,1,9,5,1,5,ab\n1,2,3,ab",
    "too far": "1,1,9999999999,1,9999999999,5,1,5,ab",
}


def rewrite(*pages):
    return [x.decode() for x in to_lines(tf.constant(pages)).numpy()]


@pytest.mark.parametrize("page", GOOD.values(), ids=GOOD)
def test_a_page_is_as_read_page_reads_it(page):
    assert rewrite(page) == [read_page(page.encode()).to_bytes().decode()]


@pytest.mark.parametrize("page", REFUSED.values(), ids=REFUSED)
def test_a_page_that_read_page_refuses_remains_as_it_is(page):
    with pytest.raises(ValueError, match="Expected"):
        read_page(page.encode())
    assert rewrite(page) == [page]


def test_pages_of_a_batch_do_not_change_each_other():
    pages = ["", RECEIPT, "1 2 3 4 0 Total", *REFUSED.values(), RECEIPT, "{}"]
    assert rewrite(*pages) == [x for page in pages for x in rewrite(page)]
    assert rewrite("", "1 2 3 4 0 Total") == ["", "1 2 3 4 0 Total"]
