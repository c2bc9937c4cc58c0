"""Tables for the tests of this folder."""

import pytest

from tests.helpers import image_bytes
from tests.helpers import wav_bytes
from tests.tables import make_table


@pytest.fixture
def one_missing(tmp_path):
    """Forty rows: some cells are empty, the file of row 18 is missing."""
    folder = tmp_path / "table"
    folder.mkdir()
    files = {f"{i}.png": image_bytes(seed=i, size=(20, 20)) for i in range(40)}
    files |= {f"{i}.wav": wav_bytes(seconds=0.1 + 0.01 * i) for i in range(10)}
    rows = [
        (f"hello “{i}”", f"{i}.png", f"{i % 7}.wav" if i % 3 else "", "yes")
        for i in range(40)
    ]
    rows[17] = ("hello", "gone.png", "", "yes")
    table, _, _ = make_table(folder, rows, files)
    return table
