"""`inspect` in parts and by several processes."""

import pytest

from mbm_keras import runs
from mbm_keras.runs import scan_parts
from tests.helpers import image_bytes


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Twelve photos, of which one is damaged and one is not there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = ["photo,kind"]
    for i in range(12):
        if i != 7:
            (tmp_path / f"{i}.png").write_bytes(
                b"\x89PNG\r\n\x1a\n" if i == 3 else image_bytes(seed=i)
            )
        lines.append(f"{i}.png,{'ab'[i % 2]}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_parts_find_what_one_scan_finds(table, monkeypatch):
    whole = runs.inspect(table, deep=True)
    assert [item["row"] for item in whole["broken"]] == [4, 8]
    (kept,) = (table.parent / "cache").rglob("scan-*.parquet")
    kept.unlink()
    monkeypatch.setattr(scan_parts, "_PART_ROWS", 5)
    assert runs.inspect(table, deep=True) == whole
    assert kept.is_file() and not kept.with_suffix(".parts").exists()


def test_parts_of_a_table_that_changed_are_done_anew(table, monkeypatch):
    monkeypatch.setattr(scan_parts, "_PART_ROWS", 5)
    with monkeypatch.context() as patch:
        patch.setattr(scan_parts, "part_path", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runs.inspect(table, deep=True)
    (table.parent / "3.png").write_bytes(image_bytes())
    found = runs.inspect(table, deep=True)
    assert [item["row"] for item in found["broken"]] == [8]


@pytest.mark.slow
def test_workers_find_what_one_process_finds_without_a_word(table, capfd):
    found = runs.inspect(table, deep=True, workers=2)
    assert [item["row"] for item in found["broken"]] == [4, 8]
    assert "" == capfd.readouterr().err
