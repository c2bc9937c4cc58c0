"""Files of words and boxes, whole and damaged."""

import json

import pytest

from data_pipelines.formats import page
from data_pipelines.formats.page_files import read_page

TABLE = "word,x0,y0,x1,y1,width,height\nTotal,10,20,30,40,100,200\n"
HOCR = """<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD" "x.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><body>
<div class="ocr_page" title="image &quot;a.png&quot;; bbox 0 0 100 200; ppageno 0">
<span class="ocr_line" title="bbox 0 0 90 20{line}">
<span class="ocrx_word" title="bbox 10 20 30 40; x_wconf 9"><b>To</b>tal</span>
</span></div></body></html>"""
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout>
<Page WIDTH="100" HEIGHT="200"><PrintSpace><TextBlock><TextLine>
<String CONTENT="Total" HPOS="10" VPOS="20" WIDTH="20" HEIGHT="20"/>
</TextLine></TextBlock></PrintSpace></Page></Layout></alto>"""
FUNSD = json.dumps({
    "form": [{"words": [{"text": "Total", "box": [10, 20, 30, 40]}]}]
})  # fmt: skip
SROIE = "10,20,30,20,30,40,10,40,Total"


@pytest.mark.parametrize(
    "text", [TABLE, HOCR.format(line=""), ALTO, FUNSD, SROIE],
    ids=["table", "hocr", "alto", "funsd", "sroie"],
)  # fmt: skip
def test_every_format_gives_the_same_page(text):
    found = read_page(text.encode(), size=(100, 200))
    assert found.words == ("Total",) and found.boxes == ((100, 100, 300, 200),)


@pytest.mark.parametrize("text", [TABLE, HOCR.format(line=""), ALTO])
def test_the_size_of_the_page_is_that_of_the_file(text):
    found = read_page(text.encode())
    assert found.size == (100, 200) and found.size_given


def test_a_text_of_a_box_keeps_its_commas_and_its_words_share_the_box():
    found = read_page(b"0,0,100,0,100,10,0,10,A, B,,C D\n0,90,9,90,9,100,0,100,x")
    assert found.words == ("A,", "B,,C", "D", "x")
    assert found.boxes[0] == (0, 0, 222, 100) and found.boxes[2][2] == 1_000
    assert found.lines == (0, 0, 0, 1) and not found.size_given


def test_a_box_beyond_the_page_is_moved_to_its_edge_and_counted():
    found = read_page(b"word,x0,y0,x1,y1\na,-5,0,50,10\nb,1,1,2,2", size=(40, 40))
    assert found.boxes[0] == (0, 0, 1_000, 250) and found.num_clamped == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("word,x0,y0,x1,y1\na,9,0,5,10", "x0 <= x1.*receipt.csv.*'a'"),
        ("word,x0,y0,x1,y1\na,nan,0,5,10", "below 1e.09"),
        ("word,x0,y0,x1,y1\n", "a word on the page.*receipt.csv"),
        ("", "a word on the page"),
        ("word,x0,y0\na,1,2", "columns x1, y1"),
        ("word,x0,y0,x1,y1\na,1,2", "line 2 has another number"),
        (SROIE + "\n1,2,3", "line 2 is not"),
        ("0,0,0,90,20,90,20,0,Total sum", "horizontal.*receipt.csv"),
        (HOCR.format(line="; textangle 90"), "horizontal"),
        ('{"form": 3}', "without a list `form`"),
        ('{"form": [{"text": "a", "box": [1, 2, true, 4]}]}', "4 numbers"),
        ("[" * 100_000, "receipt.csv"),
        ("word,x0,y0,x1,y1\na,-1e308,0,1e308,1", "below 1e.09"),
        ('{"form": [{"text": "a", "box": [0, 0, 1, 1%s]}]}' % ("0" * 400), "file"),
        ("<alto><Page/><Page/></alto>", "one page"),
        ("<html/>", "one page"),
        ("<alto><Page>", "damaged"),
        ("<a>" * 300, "within each other"),
        (ALTO.replace('HPOS="10"', ""), "without HPOS"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_name(text, message):
    with pytest.raises(ValueError, match=message):
        read_page(text.encode(), "receipt.csv")


def test_xml_that_declares_entities_is_refused():
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>' + ALTO
    with pytest.raises(ValueError, match="entities is refused"):
        read_page(bomb.encode())


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("data_pipelines.formats.page_files.MAX_BYTES", 8)
    with pytest.raises(ValueError, match="at most 8 bytes"):
        read_page(SROIE.encode())


def test_a_page_is_the_same_after_it_was_written_as_text():
    found = read_page(b"0,0,10,0,10,10,0,10,a b\n0,50,10,50,10,99,0,99,c")
    again = page.from_text(found.to_bytes())
    assert (again.words, again.boxes, again.lines) == (
        found.words, found.boxes, found.lines,
    )  # fmt: skip
