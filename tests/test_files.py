"""docs/files.md says what the code does."""

import importlib.util
import pathlib
import re

import pytest

from data_pipelines.formats import picture
from data_pipelines.formats import picture_kinds
from tests import kinds_of_files

DOCS = pathlib.Path(__file__).parents[1] / "docs" / "files.md"


def test_the_table_of_images_is_that_of_the_code():
    lines = []
    for name, suffixes in sorted(picture_kinds.SUFFIXES.items()):
        how = picture.how_read(name)
        served = "yes" if how == "as it is" else "`corrupt`"
        if name == "BMP":
            how, served = f"{how}; with run lengths as PNG", "yes, without run lengths"
        if name == "WEBP":
            how, served = f"{how}; animated as PNG", "yes, without animation"
        listed = " ".join(f"`{suffix}`" for suffix in suffixes)
        lines.append(f"| {name} | {listed} | {how} | {served} |")
    text = DOCS.read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- images -->\n.*\n.*\n((?:\|.*\n)*)<!-- end -->", text)
    assert table.splitlines() == lines


@pytest.mark.parametrize("section", kinds_of_files.SECTIONS)
def test_the_document_says_what_becomes_of_each_kind_of_file(section, tmp_path):
    missing = {
        kind.name
        for kind in kinds_of_files.SECTIONS[section]
        if kind.package and importlib.util.find_spec(kind.package[0]) is None
    }
    found = kinds_of_files.find_results(section, tmp_path)
    expected = kinds_of_files.read_document(section).splitlines()
    for line, written in zip(
        kinds_of_files.to_markdown(found).splitlines(), expected, strict=True
    ):
        if not any(line.startswith(f"| {name} |") for name in missing):
            assert line == written, "write it with `python -m tests.kinds_of_files`"
