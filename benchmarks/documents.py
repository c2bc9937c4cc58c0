"""SROIE: company, date, address and total of scanned receipts, through `mbm.train`.

Entity F1 over the four keys: a value is right if it equals the key after spaces at its
ends are removed; `f1_letters` compares letters and digits alone, since punctuation of
keys and of recognized words differs. `reachable` is the same of the tags that
`page_fields.tags_of` gives: what a model of tags can reach at most. `entity_f1` counts
the entities of these tags. About 100 receipts are for the test, split by company, whose
receipts look alike, or at random; a tenth of the others is for validation, split
likewise. Nothing is chosen on the test rows. With `words` alone, with their `boxes`,
with the `picture` too. Published, all pretrained, on the official test, which has
templates of training: BERT-base 91.0, LayoutLM-base 94.4. Needs `sroie.tar.gz` in
`$MBM_DATA_DIR`.
"""

import csv
import dataclasses
import io
import json
import tempfile

import common
import numpy as np
import real_data

KEYS = ("company", "date", "address", "total")
TEST, VALID = 100, 0.1  # rows, share of the others
VIEWS = {"words": (False, False), "boxes": (True, False), "picture": (True, True)}


def receipts(folder, quick):
    """Pages with their keys, and the bytes of their pictures."""
    from data_pipelines.formats.page_files import read_page

    top = real_data.unpack("sroie", folder)
    sizes = {
        row["name"]: (float(row["width"]), float(row["height"]))
        for row in csv.DictReader(io.StringIO((top / "size.csv").read_text()))
    }
    rows, images = [], []
    for path in sorted((top / "box").glob("*.csv"))[:: 4 if quick else 1]:
        page = read_page(path.read_bytes(), path.name, sizes[path.stem])
        keys = json.loads((top / "key" / f"{path.stem}.json").read_text())
        rows.append((page, {key: keys.get(key, "") for key in KEYS}))
        images.append((top / "img" / f"{path.stem}.jpg").read_bytes())
    return rows, images


def split(rows, by_company, share, seed=0):
    """Which rows are of the test; companies are whole where they are asked for."""
    random = np.random.default_rng(seed)
    wanted = round(share * len(rows))
    if not by_company:
        return np.isin(np.arange(len(rows)), random.permutation(len(rows))[:wanted])
    names = [letters_of(fields["company"])[:12] for _, fields in rows]
    distinct, test = sorted(set(names)), set()
    for i in random.permutation(len(distinct)):
        if sum(name in test for name in names) >= wanted:
            break
        test.add(distinct[i])
    return np.array([name in test for name in names])


def score(truth, found):
    """F1 over all keys in percent, of each, and of all by letters and digits alone."""

    def f1(keys, change):
        pairs = [
            (change(fields[key]), change(values.get(key, "")))
            for fields, values in zip(truth, found, strict=True)
            for key in keys
        ]
        right = sum(a == b != "" for a, b in pairs)
        total = sum(a != "" for a, _ in pairs) + sum(b != "" for _, b in pairs)
        return 200.0 * right / max(total, 1)

    exact = {name: f1([name], str.strip) for name in KEYS}
    return {"f1": f1(KEYS, str.strip), **exact, "f1_letters": f1(KEYS, letters_of)}


def letters_of(text):
    """Letters and digits in lower case."""
    return "".join(filter(str.isalnum, text)).lower()


def project(rows):
    """The tags of all pages, and how each key was found."""
    from mbm_keras.preprocessing import page_fields

    marked = [page_fields.tags_of(p.words, p.boxes, fields) for p, fields in rows]
    kinds = [match.kind for _, found in marked for match in found.values()]
    return [tags for tags, _ in marked], kinds


def read(rows, tags, probabilities):
    """The values that tags mark, by row."""
    from mbm_keras.preprocessing import page_fields

    found = []
    for (page, _), row, own in zip(rows, tags, probabilities, strict=True):
        values = page_fields.values_of(page.words, row, own)
        found.append({key: text for key, (text, _, _) in values.items()})
    return found


def train(rows, test, valid, view, args):
    """Trains on a table of pages, and gives the scores of its test rows."""
    import mbm_keras as mbm

    layout, picture = VIEWS[view]
    table = []
    for (page, fields), image, is_test, is_valid in zip(
        *rows, test, valid, strict=True
    ):
        split = "test" if is_test else "valid" if is_valid else "train"
        scan = {"scan": image} if picture else {}
        table.append({"page": page.to_bytes(), **scan, **fields, "split": split})
    plan = mbm.plan(table, list(KEYS), epochs=args.epochs or None, seed=args.seed)
    sizes = {**plan.model_sizes, "layout": layout}
    plan = dataclasses.replace(plan, model_sizes=sizes)
    with tempfile.TemporaryDirectory() as folder:
        run = mbm.train(table, plan=plan, out=f"{folder}/run", verbose=args.verbose)
        asked = [row for row in table if row["split"] == "test"]
        given = [{k: v for k, v in row.items() if k not in KEYS} for row in asked]
        answers = run.predict(given, keep="none")
    found = [{key: answers[key][i] or "" for key in KEYS} for i in range(len(asked))]
    scores = {**score(asked, found), "cpu_seconds": run.metrics["cpu_seconds"]}
    tags = run.metrics["splits"]["test"]
    return {**scores, "entity_f1": 100 * tags["entity_f1"], "epochs": plan.epochs}


def main():
    """Measures, and prints one figure per line, or JSON."""
    args = common.options(
        __doc__,
        epochs=(int, 0, "most epochs of training, 0 for those of the plan"),
        seed=(int, 0, "seed of the split, the weights and the order"),
        views=(str, "boxes", f"of {', '.join(VIEWS)}, commas between; none to skip"),
        splits=(str, "company", "company, random, or both with a comma between"),
        verbose=(int, 0, "1 for a line by epoch"),
    )
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        rows, images = receipts(folder, args.quick)
    tags, kinds = project(rows)
    count = {kind: kinds.count(kind) for kind in ("whole", "inside", "part", "none")}
    result |= {f"keys_{kind}": n for kind, n in count.items()}
    for name in args.splits.split(","):
        is_company = name == "company"
        test = split(rows, is_company, TEST / 626, args.seed)
        others = [row for row, out in zip(rows, test, strict=True) if not out]
        valid = np.zeros(len(rows), bool)
        valid[~test] = split(others, is_company, VALID, args.seed)
        chosen = [row for row, out in zip(rows, test, strict=True) if out]
        right = [row for row, out in zip(tags, test, strict=True) if out]
        found = read(chosen, right, [[1.0] * len(row) for row in right])
        reachable = score([fields for _, fields in chosen], found)
        result |= {f"{name}_rows": f"{(~test).sum()}, {valid.sum()} of them valid"}
        result |= {f"{name}_test": int(test.sum())}
        result |= {f"{name}_reachable_{k}": round(v, 2) for k, v in reachable.items()}
        for view in args.views.split(",") if args.views != "none" else ():
            scores = train((rows, images), test, valid, view, args)
            result |= {f"{name}_{view}_{k}": round(v, 2) for k, v in scores.items()}
    common.show(result, args.json)


if __name__ == "__main__":
    main()
