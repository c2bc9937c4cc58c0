"""Values that are nearly the same."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

import mbm_keras as mbm
from mbm_keras.runs.steps import open_rows

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "the quick brown fox jumps over the lazy dog",
    "Nothing of this kind has been seen in the harbor since.",
    "yes",
    "yes",
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("near")
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (3, 6, 6, 3)).astype("uint8")
    for i, block in enumerate(blocks):
        Image.fromarray(block).resize((96, 96)).save(folder / f"{i}.png")
    smaller = Image.open(folder / "0.png").resize((60, 60))
    smaller.save(folder / "3.jpg", quality=80)
    Image.new("RGB", (96, 96), "white").save(folder / "4.png")
    photos = ["0.png", "1.png", "2.png", "3.jpg", "4.png"]
    splits = ["train", "train", "train", "test", "test"]
    frame = pl.DataFrame({"photo": photos, "caption": TEXTS, "split": splits})
    frame.write_csv(folder / "rows.csv")
    columns = {"photo": "image", "caption": "text"}
    return mbm.inspect(folder / "rows.csv", columns=columns, duplicates=True)


def test_a_smaller_copy_of_a_picture_is_found_across_splits(found):
    photo = found["duplicates"]["photo"]
    assert (photo["groups"], photo["rows"], photo["across_splits"]) == (1, 2, 1)
    one, other, cosine = photo["examples"][0]
    assert other - one == 3 and cosine > 0.98


def test_texts_that_differ_in_a_sign_are_found_and_short_ones_are_not(found):
    caption = found["duplicates"]["caption"]
    assert (caption["groups"], caption["rows"]) == (1, 2)
    assert caption["across_splits"] == 0


def test_the_command_says_where_they_are(found):
    from mbm_keras.cli.lines import inspect_lines

    text = "\n".join(inspect_lines(found))
    assert "photo: 1 groups of near duplicates, 2 rows, 1 of them in two splits" in text


def test_near_duplicates_stay_in_one_split():
    words = "abcdefghij"
    texts = [f"{words[i % 10] * 5} number {i} of many other things" for i in range(40)]
    texts += [f"{text}!" for text in texts]
    rows = [{"text": x, "answer": "ab"[i % 2]} for i, x in enumerate(texts)]
    chosen = dict(columns={"text": "text"}, valid_share=0.3)
    apart = open_rows(rows, "answer", **chosen).split
    assert (apart[:40] != apart[40:]).any()
    table = open_rows(rows, "answer", group="near_duplicates", **chosen)
    assert (table.split[:40] == table.split[40:]).all()
    assert 0 < (table.split == "valid").sum() < 40
    assert list(table.columns) == ["text"]


def test_a_column_of_this_name_is_taken_as_it_is():
    rows = [
        {"text": f"word {i}", "near_duplicates": i % 4, "answer": "ab"[i % 2]}
        for i in range(40)
    ]
    chosen = dict(columns={"text": "text"}, valid_share=0.3)
    table = open_rows(rows, "answer", group="near_duplicates", **chosen)
    assert len(set(table.split[::4])) == 1
