"""SROIE: how well company, date, address and total can be projected to words.

Entity F1 over the four keys of the tags that `page_fields.tags_of` gives: what a model
of tags can reach at most. A value is right if it equals the key after spaces at its
ends are removed; `f1_letters` compares letters and digits alone, since punctuation of
keys and of recognized words differs. Split by company and at random, about 100 receipts
for the test. No model is trained. Needs `sroie.tar.gz` in `$MBM_DATA_DIR`.
"""

import csv
import io
import json
import tempfile

import common
import numpy as np
import real_data

KEYS = ("company", "date", "address", "total")
TEST = 100


def receipts(folder, quick):
    """Pages and their keys."""
    from data_pipelines.formats.page_files import read_page

    top = real_data.unpack("sroie", folder)
    sizes = {
        row["name"]: (float(row["width"]), float(row["height"]))
        for row in csv.DictReader(io.StringIO((top / "size.csv").read_text()))
    }
    rows = []
    for path in sorted((top / "box").glob("*.csv"))[:: 4 if quick else 1]:
        page = read_page(path.read_bytes(), path.name, sizes[path.stem])
        keys = json.loads((top / "key" / f"{path.stem}.json").read_text())
        rows.append((page, {key: keys.get(key, "") for key in KEYS}))
    return rows


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


def main():
    """Measures, and prints one figure per line, or JSON."""
    args = common.options(__doc__)
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = receipts(folder, args.quick)
    for name in ("company", "random"):
        test = split(rows, name == "company", TEST / 626)
        tags, kinds = project(rows)
        chosen = [row for row, out in zip(rows, test, strict=True) if out]
        right = [row for row, out in zip(tags, test, strict=True) if out]
        found = read(chosen, right, [[1.0] * len(row) for row in right])
        scores = score([fields for _, fields in chosen], found)
        result |= {
            f"{name}_train": int((~test).sum()),
            f"{name}_test": int(test.sum()),
            **{f"{name}_reachable_{k}": round(v, 2) for k, v in scores.items()},
        }
    count = {kind: kinds.count(kind) for kind in ("whole", "inside", "part", "none")}
    common.show({**{f"keys_{k}": n for k, n in count.items()}, **result}, args.json)


if __name__ == "__main__":
    main()
