"""`docs/files.md` says what is read, and what is set aside."""

import importlib.util

import pytest

from tests import kinds_of_files


@pytest.mark.parametrize("section", kinds_of_files.SECTIONS)
def test_the_document_says_what_becomes_of_each_kind_of_file(section, tmp_path):
    packages = {kind.package for kind in kinds_of_files.SECTIONS[section]} - {None}
    for package, _ in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    found = kinds_of_files.to_markdown(kinds_of_files.find_results(section, tmp_path))
    assert found == kinds_of_files.read_document(section), (
        "write it with `python -m tests.kinds_of_files`"
    )
