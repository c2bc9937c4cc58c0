"""What `mbm serve` is given."""

import sys

import pytest

from mbm_keras import runs
from mbm_keras.runs.serve import find_served


def test_a_saved_model_is_served_as_it_is(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert find_served(tmp_path) == tmp_path


def test_a_folder_that_is_neither_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not a finished run"):
        find_served(tmp_path)


@pytest.mark.slow
def test_an_export_that_fails_is_reported_in_its_own_words(tmp_path):
    for name in ("run.json", "metrics.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match="cannot be exported: mbm: .*run.json"):
        find_served(tmp_path)


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ValueError, match=r"pip install mbm-keras\[serve\]"):
        runs.serve(tmp_path)
