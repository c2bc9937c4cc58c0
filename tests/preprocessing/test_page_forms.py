"""Forms of pages that a graph reads are what `read_page` makes of them."""

import pytest
import tensorflow as tf

from data_pipelines.formats.page_files import read_page
from mbm_keras.preprocessing.page_forms import to_lines

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
TABLES = {
    "a table": "word,x0,y0,x1,y1\nTOTAL,1,2,30,9\n9.00,40,2,60,9.5",
    "columns in another order, texts of several words": (
        "line,x1,x0,y0,y1,word,width,height\n7, 90 ,10,10,20,TAN  CO,100,200\n"
        "7,90,10,30,40,,100,200\n9,120,60,50,60,9.00,,"
    ),
    "the size of the first row that has one": (
        "word,x0,y0,x1,y1,width,height\na,1,1,2,2,,9\nb,1,1,2,2,50,80\nc,1,1,2,2,5,8"
    ),
}
REFUSED_TABLES = {
    "without a word": "word,x0,y0,x1,y1\n ,1,2,3,4",
    "a header alone": "word,x0,y0,x1,y1",
    "turned": "word,x0,y0,x1,y1\nTOTAL,9,2,3,4",
    "outside": "word,x0,y0,x1,y1,width,height\nTOTAL,50,2,60,4,10,10",
    "a cell more": "word,x0,y0,x1,y1\nTOTAL,1,2,3,4,5",
    "a column less": "word,x0,y0,x1\nTOTAL,1,2,3",
    "no number": "word,x0,y0,x1,y1\nTOTAL,1,2,3,x",
    "no size": "word,x0,y0,x1,y1,width,height\nTOTAL,1,2,3,4,0,5",
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


@pytest.mark.parametrize("page", [*GOOD.values(), *TABLES.values()])
def test_a_page_is_as_read_page_reads_it(page):
    lines = read_page(page.encode()).to_bytes().decode().splitlines()
    wanted = [line.split(" ") for line in lines]
    found = [line.split(" ") for line in rewrite(page)[0].splitlines()]
    assert [x[:4] + x[5:] for x in found] == [x[:4] + x[5:] for x in wanted]


@pytest.mark.parametrize("page", [*REFUSED.values(), *REFUSED_TABLES.values()])
def test_a_page_that_read_page_refuses_remains_as_it_is(page):
    with pytest.raises(ValueError, match="Expected"):
        read_page(page.encode())
    assert rewrite(page) == [page]


def test_pages_of_a_batch_do_not_change_each_other():
    tables = [*TABLES.values(), *REFUSED_TABLES.values()]
    pages = ["", RECEIPT, "1 2 3 4 0 Total", *REFUSED.values(), RECEIPT, "{}", *tables]
    assert rewrite(*pages) == [x for page in pages for x in rewrite(page)]
    assert rewrite("", "1 2 3 4 0 Total") == ["", "1 2 3 4 0 Total"]


def test_a_table_with_quoted_cells_remains_as_it_is():
    page = 'word,x0,y0,x1,y1\n"1,000",1,2,3,4'
    assert rewrite(page) == [page] and read_page(page.encode()).words == ("1,000",)
