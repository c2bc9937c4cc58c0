"""docs/files.md says what the code does."""

import pathlib
import re

from data_pipelines.formats import picture
from data_pipelines.formats import picture_kinds

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
