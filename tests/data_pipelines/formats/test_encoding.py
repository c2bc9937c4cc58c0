"""Encodings of text, and how a table is to be read."""

import pytest

from data_pipelines.formats.encoding import to_utf8
from data_pipelines.formats.reading import Reading

TEXT = "name,city\ndas Café ist schön,Zürich\n" * 3


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_the_encoding_is_found(encoding):
    assert to_utf8(TEXT.encode(encoding))[0].decode() == TEXT


def test_quotes_and_dashes_of_windows_are_read():
    text = "text\n“so” – it is €5\n"
    assert to_utf8(text.encode("cp1252"))[0].decode() == text


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "gb18030", "koi8-r"])
def test_an_encoding_that_cannot_be_found_is_asked_for(encoding):
    text = {"cp1251": "текст\nпривет мир\n", "koi8-r": "текст\nпривет мир\n"}.get(
        encoding, "日本\n東京の天気\n"
    )
    data = text.encode(encoding)
    with pytest.raises(ValueError, match="--encoding"):
        to_utf8(data)
    assert to_utf8(data, encoding)[0].decode() == text


def test_a_wrong_encoding_is_an_error_that_names_the_option():
    with pytest.raises(ValueError, match="not in shift_jis.*--encoding"):
        to_utf8(b"\x80\xff\n", "shift_jis")


@pytest.mark.parametrize(
    "arguments",
    [
        {"separator": ",,"},
        {"separator": '"'},
        {"separator": "é"},
        {"encoding": "utf-99"},
        {"encoding": "hex"},
        {"decimal": ";"},
    ],
)
def test_what_no_table_can_be_read_with_is_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"Expected .* Received: {name}="):
        Reading.of(**arguments)


def test_separators_have_names():
    assert Reading.of(separator="tab").separator == "\t"
    assert Reading.of(separator="semicolon").separator == ";"


def test_what_is_given_comes_before_what_was_kept():
    kept = Reading.of(";", "cp1252", missing="NA")
    merged = Reading.of(",", missing="").over(kept)
    assert merged.separator == "," and merged.encoding == "cp1252"
    assert merged.missing == ()


def test_a_reading_comes_back_from_json():
    reading = Reading(
        separator=";", missing=("-",), columns={"a": {"decimal": ","}, "b": {}}
    )
    assert Reading.from_json(reading.to_json()) == reading
    assert Reading.from_json({}) == Reading()
    for edited in ([1], {"a": {"values": -1}}, {"a": {"decimal": ":"}}):
        with pytest.raises(ValueError, match="Expected how a table is read"):
            Reading.from_json({"columns": edited})
