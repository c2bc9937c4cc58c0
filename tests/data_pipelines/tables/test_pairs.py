"""Tables paired by label: within the splits, and partners are drawn equally often."""

import numpy as np
import polars as pl
import pytest

from data_pipelines import align


def draw_rows(name, rows, splits, labels="0123"):
    rng = np.random.default_rng(len(name))
    return pl.DataFrame(
        {
            name: [f"{name}{i}".encode() for i in range(rows)],
            "label": rng.choice(list(labels), rows),
            "split": rng.choice(splits, rows),
        }
    )


IMAGES = draw_rows("image", 200, ["train", "test"])
SOUNDS = draw_rows("audio", 50, ["train", "test"])
TABLES = {"written": IMAGES, "spoken": SOUNDS}


def test_every_row_has_a_partner_of_its_label_and_split():
    paired = align.by_label(TABLES, "label", seed=1)
    assert len(paired.frame) == 200 and paired.without_partner == {"spoken": 0}
    groups = zip(SOUNDS["audio"], SOUNDS.select("label", "split").rows(), strict=True)
    group = dict(groups)
    for row in paired.frame.rows(named=True):
        assert group[row["audio"]] == (row["label"], row["split"])


def test_partners_are_drawn_equally_often():
    paired = align.by_label(TABLES, "label", seed=1)
    counts = paired.frame.group_by("label", "split", "audio").len()
    spread = counts.group_by("label", "split").agg(pl.max("len") - pl.min("len"))
    assert spread["len"].max() <= 1 and paired.unused == {"written": 0, "spoken": 0}


def test_pairs_depend_on_the_seed_alone():
    one, again, other = (
        align.by_label(TABLES, "label", seed=seed).frame for seed in (1, 1, 2)
    )
    assert one.equals(again) and not one.equals(other)


def test_rows_without_a_partner_are_counted():
    images = draw_rows("image", 60, ["train", "test"])
    sounds = draw_rows("audio", 20, ["train"], labels="012")
    paired = align.by_label({"written": images, "spoken": sounds}, "label")
    alone = images.filter((pl.col("split") == "test") | (pl.col("label") == "3"))
    assert paired.without_partner == {"spoken": len(alone)}
    assert len(paired.frame) == 60 - len(alone) == 60 - paired.unused["written"]


@pytest.mark.parametrize(
    "other, message",
    [
        (SOUNDS.drop("split"), "'spoken' has no column 'split'"),
        (IMAGES, "both have a column 'image'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(other, message):
    with pytest.raises(ValueError, match=message):
        align.by_label({"written": IMAGES, "spoken": other}, "label")
