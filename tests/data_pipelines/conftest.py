"""Tables that several folders of tests read."""

import polars as pl
import pytest

from tests.helpers import image_bytes
from tests.helpers import wav_bytes

SENTENCES = ("a red thing on the table", "one blue thing", "what is it good for")


@pytest.fixture
def twelve_rows(tmp_path):
    """A frame with a column of every modality; its files are in `tmp_path`."""
    for i in range(12):
        (tmp_path / f"{i}.png").write_bytes(image_bytes(seed=i))
        (tmp_path / f"{i}.wav").write_bytes(wav_bytes(hertz=300 + i))
    return pl.DataFrame(
        {
            "id": [f"row{i}" for i in range(12)],
            "sentence": [SENTENCES[i % 3] for i in range(12)],
            "photo": [f"{i}.png" for i in range(12)],
            "voice": [f"{i}.wav" for i in range(12)],
            "age": [20.5 + i for i in range(12)],
            "city": [("Rome", "Oslo")[i % 2] for i in range(12)],
            "same": ["x"] * 12,
            "answer": [("yes", "no")[i % 2] for i in range(12)],
        }
    )


@pytest.fixture
def write_table(tmp_path):
    """A function that writes a frame into `tmp_path`; returns the path."""

    def write(frame, name="rows.csv"):
        path = tmp_path / name
        writers = {
            ".csv": frame.write_csv,
            ".jsonl": frame.write_ndjson,
            ".parquet": frame.write_parquet,
        }
        writers[path.suffix](path)
        return path

    return write
