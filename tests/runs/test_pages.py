"""Pages train from a table of files, are answered with boxes, and are served."""

import dataclasses
import json
import random

import numpy as np
import pytest
import tensorflow as tf

import mbm_keras as mbm
from tests.helpers import image_bytes

SHOPS = ("TAN CO", "ALPHA STORE", "BEST MART LTD", "OAK")
SIZES = {
    "width": 32,
    "word_width": 16,
    "filters": 4,
    "num_layers": 1,
    "picture_filters": (4, 8),
    "dropout": 0.1,
    "word_dropout": 0.1,
}


def receipt(seed):
    """Texts with boxes of a receipt, `(text, x0, y0, x1, y1)`; shop and total."""
    rng = random.Random(seed)
    shop, total = rng.choice(SHOPS), f"{rng.randint(1, 99)}.{rng.randint(10, 99)}"
    lines = [(shop, 10, 10, 90, 20)]
    for i in range(rng.randint(1, 3)):
        y = 40 + 20 * i
        lines += [("ITEM", 10, y, 40, y + 10), (f"{i}.{seed % 9}0", 60, y, 90, y + 10)]
    lines += [("TOTAL", 10, 150, 40, 160), (total, 60, 150, 90, 160)]
    lines += [("THANKS", 70, 190, 100, 200)]  # boxes of SROIE reach to the corner
    return lines, shop, total


def as_table(lines):
    rows = [
        f"{word},{x0},{y0},{x1},{y1},100,200"
        for text, x0, y0, x1, y1 in lines
        for word in text.split()
    ]
    return "\n".join(["word,x0,y0,x1,y1,width,height", *rows]).encode()


def as_funsd(lines):
    form = [{"text": text, "box": box} for text, *box in lines]
    return json.dumps({"form": form}).encode()


def as_boxes(lines):
    return "\n".join(
        f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{text}"
        for text, x0, y0, x1, y1 in lines
    ).encode()


BROKEN = {
    "sideways": b"0,0,0,90,9,90,9,0,TOTAL OF ALL",
    "empty": as_table([]),
    "turned": as_table([("TOTAL", 40, 10, 10, 20)]),
    "outside": as_table([("TOTAL", 10, 300, 40, 310)]),
    "other": as_table([("NOTHING", 10, 10, 40, 20)]),
    "damaged": b'{"form": [{"text": "a"',
}


def write_table(folder, number, picture=True):
    """A table of receipts in three formats, and the broken ones."""
    rows = []
    for seed in range(number):
        lines, shop, total = receipt(seed)
        data = (as_table, as_funsd, as_boxes)[seed % 3](lines)
        (folder / f"{seed}.dat").write_bytes(data)
        (folder / f"{seed}.png").write_bytes(image_bytes("PNG"))
        row = {"id": seed, "page": f"{seed}.dat", "shop": shop, "total": total}
        rows.append(row | ({"scan": f"{seed}.png"} if picture else {}))
    for name, data in BROKEN.items():
        (folder / f"{name}.dat").write_bytes(data)
        rows.append({**rows[0], "id": name, "page": f"{name}.dat"})
    rows.append({**rows[0], "id": "unlabeled", "shop": "", "total": ""})
    rows.append({**rows[0], "id": "absent", "page": ""})
    columns = list(rows[0])
    text = "\n".join(",".join(str(row[c]) for c in columns) for row in rows)
    (folder / "rows.csv").write_text(f"{','.join(columns)}\n{text}\n")
    return folder / "rows.csv"


def train(table, target, folder, epochs=25):
    plan = mbm.plan(table, target, epochs=epochs, batch_size=8)
    plan = dataclasses.replace(plan, model_sizes=SIZES, learning_rate=0.01)
    return mbm.train(table, plan=plan, out=folder, verbose=0, max_broken=0.3)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("pages"), 48)


@pytest.fixture(scope="module")
def run(table):
    return train(table, ["shop", "total"], table.parent / "run")


def test_the_plan_reads_the_page_and_its_picture(run):
    plan = run.plan
    assert (plan.model, plan.target_kind) == ("document_extractor", "fields")
    assert plan.columns == {"page": "page", "scan": "image"}
    assert plan.more_targets == ("total",) and plan.members == 1


def test_broken_pages_are_set_aside_once_with_the_reason(run):
    lines = (run.folder / "quarantine.csv").read_text().splitlines()[1:]
    wanted = (
        "1 of 1 texts are vertical",
        "Expected a word on the page",
        "x0 <= x1",
        "on the page at least in part",
        "none of its values is on the page",
        "Expected words and boxes",
        "the target is empty",
        "its page is empty",
    )
    for reason in wanted:
        assert sum(reason in line for line in lines) == 1, reason
    assert run.metrics["quarantined"] == len(wanted) == len(lines)


def test_values_that_are_not_on_their_page_are_counted(run):
    # 48 receipts, and the page that has neither; values of broken pages do not count.
    for name in ("shop", "total"):
        wanted = f"{name}: 1 of 49 values are not on their page, and are not learned"
        assert wanted in run.metrics["notes"]


def test_the_report_has_pictures_of_pages_with_what_was_found(run):
    page = run.report.read_text(encoding="utf-8")
    assert page.count('<img alt="A page with what was found"') == 3


def test_it_finds_fields_and_says_how_well(run):
    assert run.metrics["splits"]["valid"]["entity_f1"] > 0.8
    assert {"entity shop", "entity total"} <= set(run.metrics["classes"])


def test_the_answer_has_values_boxes_and_probabilities(run, table):
    frame = run.predict(table)
    good = frame.filter(frame["status_page"] == "ok")
    rows = [receipt(int(i)) for i in good["id"] if i.isdecimal()]
    found = good.head(len(rows))
    # The table has a column `total`, whose name the answer does not take.
    pairs = zip(found["total_2"], rows, strict=True)
    right = [answer == total for answer, (_, _, total) in pairs]
    assert np.mean(right) > 0.8
    first = right.index(True)
    x0, y0, x1, y1 = found["total_box"][first]
    assert x0 < x1 and y0 < y1 and y0 > found["shop_box"][first][1]
    assert 0 < found["total_probability"][first] <= 1


def test_a_page_that_cannot_be_read_has_no_answer_and_a_note(run, table):
    frame = run.predict(table)
    row = frame.filter(frame["id"] == "damaged")
    assert row["status_page"].to_list() == ["corrupt"]
    assert "Expected words and boxes" in row["note"][0]


@pytest.mark.slow
def test_the_saved_model_gives_the_same(run, table, tmp_path):
    assert run.export(tmp_path / "served")["largest_difference"] < 1e-4
    served = tf.saved_model.load(str(tmp_path / "served"))
    lines, shop, total = receipt(3)
    words = [(w, *box) for text, *box in lines for w in text.split()]
    page = "\n".join(
        f"{10 * x0} {5 * y0} {10 * x1} {5 * y1} {y0} {word}"
        for word, x0, y0, x1, y1 in words
    )
    scan, corners = image_bytes("PNG"), as_boxes(lines)
    answers = served.serve({
        "page": tf.constant([page, "", "no page", corners]),
        "scan": tf.constant([scan, scan, b"", scan]),
    })  # fmt: skip
    rows = [{"page": page.encode(), "scan": scan}]
    frame = run.predict(rows)
    for field in ("shop", "total"):
        assert answers[field][0].numpy().decode() == frame[field][0]
        assert (
            answers[f"{field}_box"][0].numpy().tolist()
            == frame[f"{field}_box"][0].to_list()
        )
    assert answers["total"].numpy()[1:3].tolist() == [b"", b""]
    statuses = [b"ok", b"absent", b"corrupt", b"ok"]
    assert answers["status_page"].numpy().tolist() == statuses
    box = answers["total_box"].numpy()
    assert answers["total"][3] == total and box[3].tolist() == box[0].tolist()


@pytest.mark.slow
def test_tags_of_words_are_found_by_their_cells(tmp_path):
    rows = []
    for seed in range(40):
        lines, shop, _ = receipt(seed)
        words = [word for text, *_ in lines for word in text.split()]
        tags = ["B-shop", *["I-shop"] * shop.count(" ")]
        tags += ["O"] * (len(words) - len(tags) - 1) + ["B-total"]
        rows.append({"page": as_table(lines), "tags": " ".join(tags)})
    rows.append({**rows[0], "tags": "O"})
    run = train(rows, "tags", tmp_path / "run", epochs=12)
    assert run.plan.target_kind == "page_tags"
    assert "1 tags in 'tags'" in (run.folder / "quarantine.csv").read_text()
    found = run.predict(rows[:1])["tags_entities"][0].to_list()
    assert {x["label"] for x in found} <= {"shop", "total"} and found[0]["box"]
