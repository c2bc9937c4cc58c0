"""Real tables with a published or a fair split, written from the archives.

Each function writes a table and its files into a folder, and returns its path, the
target and further options of `mbm train`. The column `split` has `train` and `test`;
rows of one speaker, of one recording or of one image never cross. The archives are
looked for in `$MBM_DATA_DIR`.
"""

import csv
import gzip
import io
import json
import os
import pathlib
import re
import tarfile

import numpy as np
import polars as pl
from PIL import Image


def unpack(name, folder):
    """Unpacks `<name>.tar.gz`, and returns the folder in it."""
    data = pathlib.Path(os.environ.get("MBM_DATA_DIR", "")) / f"{name}.tar.gz"
    if not data.exists():
        raise SystemExit(f"Set MBM_DATA_DIR to the folder that holds {data.name}.")
    with tarfile.open(data) as archive:
        archive.extractall(folder, filter="data")
        top = archive.getnames()[0].split("/")[0]
    return pathlib.Path(folder) / top


def write(folder, rows):
    """Writes rows, a list of dicts or a frame, as `rows.csv`."""
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    path = pathlib.Path(folder) / "rows.csv"
    frame.write_csv(path)
    return str(path)


def split_of(units, share, seed=0):
    """`test` for a share of the distinct units, `train` for the others."""
    distinct = sorted(set(units))
    order = np.random.default_rng(seed).permutation(len(distinct))
    test = {distinct[i] for i in order[: round(share * len(distinct))]}
    return ["test" if unit in test else "train" for unit in units]


def houses(folder):
    """Price of a house from four images and four numbers."""
    top = unpack("houses", folder)
    names = ("bedrooms", "bathrooms", "area", "zip_code", "price")
    rows = []
    for i, line in enumerate((top / "HousesInfo.txt").read_text().splitlines(), 1):
        numbers = dict(zip(names, line.split(), strict=True))
        rooms = ("bathroom", "bedroom", "frontal", "kitchen")
        images = {room: f"{top.name}/{i}_{room}.jpg" for room in rooms}
        rows.append({**images, **numbers})
    split = split_of(range(len(rows)), 0.2)
    rows = [{**row, "split": part} for row, part in zip(rows, split, strict=True)]
    return write(folder, rows), "price", ["--task", "number"]


def vqa_rad(folder, kind):
    """A question and a radiological image to an answer, closed or open."""
    top = unpack("vqa-rad", folder)
    frame = pl.read_csv(top / "questions.csv")
    frame = frame.filter(pl.col("answer_type").str.strip_chars() == kind)
    answer = pl.col("answer").str.strip_chars().str.to_lowercase()
    frame = frame.select(
        "split",
        (f"{top.name}/images/" + pl.col("image")).alias("image"),
        "question",
        answer,
    )
    known = frame.filter(pl.col("split") == "train")["answer"].value_counts()
    often = known.filter(pl.col("count") >= 5)["answer"].to_list()
    return write(folder, frame.filter(pl.col("answer").is_in(often))), "answer", []


def emodb(folder):
    """Emotion of a German sentence; two speakers are held out."""
    top = unpack("emodb", folder)
    rows = [
        {
            "sound": f"{top.name}/{path.name}",
            "speaker": path.name[:2],
            "emotion": path.name[5],
            "split": "test" if path.name[:2] in ("03", "16") else "train",
        }
        for path in sorted(top.glob("*.ogg"))
    ]
    return write(folder, rows), "emotion", ["--group", "speaker"]


def esc_10(folder, fold=5):
    """Ten kinds of sound; one of the five published folds is held out."""
    top = unpack("esc-10", folder)
    rows = [
        {
            "sound": str(path.relative_to(folder)),
            "kind": path.parent.name,
            "split": "test" if path.name[0] == str(fold) else "train",
        }
        for path in sorted(top.glob("*/*.ogg"))
    ]
    return write(folder, rows), "kind", []


def heart_sounds(folder):
    """Four conditions of a heart; blocks of neighboring numbers stay together."""
    top = unpack("heart-sounds", folder)
    rows = []
    for path in sorted(top.glob("*/*.flac")):
        number = int(re.findall(r"\d+", path.stem)[-1])
        block = (number - 1) // 40  # of 200 recordings of each condition
        rows.append(
            {
                "sound": str(path.relative_to(folder)),
                "block": f"{path.parent.name} {block}",
                "condition": path.parent.name,
                "split": "test" if block == 4 else "train",
            }
        )
    return write(folder, rows), "condition", ["--group", "block"]


def snips(folder):
    """Seven intents of a sentence."""
    top = unpack("snips", folder)
    rows = []
    for split in ("train", "valid", "test"):
        texts, labels = (
            (top / split / name).read_text().splitlines()
            for name in ("seq.in", "label")
        )
        for text, label in zip(texts, labels, strict=True):
            rows.append({"text": text.strip(), "intent": label.strip(), "split": split})
    return write(folder, rows), "intent", []


def clinc150(folder):
    """150 intents of a sentence, in scope."""
    top = unpack("clinc150", folder)
    data = json.loads((top / "data_full.json").read_text())
    rows = [
        {"text": text, "intent": intent, "split": split}
        for name, split in (("train", "train"), ("val", "valid"), ("test", "test"))
        for text, intent in data[name]
    ]
    return write(folder, rows), "intent", []


def cmu_mosi(folder):
    """Sentiment of an utterance from vectors of words, voice and face."""
    top = unpack("cmu-mosi-utterances", folder)
    rows = []
    for split in ("train", "test"):
        parts = {
            name: pl.read_csv(
                top / name / f"{split}.csv", has_header=False, infer_schema=False
            ).cast(pl.Float64)
            for name in ("text", "audio", "video")
        }
        vectors = {name: part[:, :-1].to_numpy() for name, part in parts.items()}
        labels = parts["text"][:, -1].cast(pl.Int64).to_list()
        for i, label in enumerate(labels):
            values = {f"{name}_vector": v[i].tolist() for name, v in vectors.items()}
            rows.append({**values, "sentiment": f"class {label}", "split": split})
    path = pathlib.Path(folder) / "rows.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return str(path), "sentiment", []


def pneumoniamnist(folder):
    """Pneumonia in an X-ray of a child."""
    top = unpack("pneumoniamnist", folder)
    rows = []
    with np.load(top / "pneumoniamnist.npz") as data:
        for split, name in (("train", "train"), ("valid", "val"), ("test", "test")):
            images, labels = data[f"{name}_images"], data[f"{name}_labels"]
            for image, label in zip(images, labels.ravel(), strict=True):
                rows.append({"image": png(image), "ill": bool(label), "split": split})
    path = pathlib.Path(folder) / "rows.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return str(path), "ill", []


def spoken_digits(folder, speaker="theo"):
    """Ten digits; one speaker is held out."""
    top = unpack("free-spoken-digit-dataset-1.0.9", folder)
    rows = []
    for path in sorted(top.glob("recordings/*.wav")):
        digit, who, _ = path.stem.split("_")
        split = "test" if who == speaker else "train"
        sound = str(path.relative_to(folder))
        rows.append({"sound": sound, "speaker": who, "digit": digit, "split": split})
    options = ["--group", "speaker", "--task", "label"]
    return write(folder, rows), "digit", options


def nottingham(folder):
    """The dance of a folk tune, from its notes in ABC."""
    top = unpack("nottingham", folder)
    rows = []
    for path in sorted(top.glob("ABC_cleaned/*.abc")):
        for tune in re.split(r"\n\s*\n", path.read_text(errors="replace")):
            notes = [
                line for line in tune.splitlines() if not re.match(r"[A-Z]:|%", line)
            ]
            if notes and re.search(r"^X:", tune, flags=re.M):
                dance = re.sub(r"[a-z]-[a-z]$|\d+$", "", path.stem)
                rows.append({"notes": " ".join("\n".join(notes)), "dance": dance})
    split = split_of([row["notes"] for row in rows], 0.2)
    rows = [{**row, "split": part} for row, part in zip(rows, split, strict=True)]
    return write(folder, rows), "dance", ["--task", "label"]


def tuxpaint_stamps(folder):
    """The topic of a picture with its caption, and for some with its sound."""
    top = unpack("tuxpaint-stamps", folder)
    rows = []
    with open(top / "stamps.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sound = f"{top.name}/{row['sound']}" if row["sound"] else ""
            rows.append(
                {
                    "picture": f"{top.name}/{row['picture']}",
                    "caption": row["caption"],
                    "sound": sound,
                    "topic": row["folder"].split("/")[0],
                }
            )
    common = [row["topic"] for row in rows]
    rows = [row for row in rows if common.count(row["topic"]) >= 20]
    split = split_of([row["caption"] for row in rows], 0.25)
    rows = [{**row, "split": part} for row, part in zip(rows, split, strict=True)]
    return write(folder, rows), "topic", []


def av_mnist(folder):
    """Written and spoken digit of one label, as AV-MNIST pairs them."""
    digits = unpack("mnist-10k", folder)
    speech = unpack("free-spoken-digit-dataset-1.0.9", folder)
    images = gzip.decompress((digits / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((digits / "t10k-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(images[16:], "uint8").reshape(-1, 28, 28)
    labels = np.frombuffer(labels[8:], "uint8")
    rng = np.random.default_rng(0)
    sounds = {"train": {}, "test": {}}
    for path in sorted(speech.glob("recordings/*.wav")):
        digit, _, number = path.stem.split("_")
        split = "test" if int(number) < 5 else "train"
        sounds[split].setdefault(int(digit), []).append(str(path.relative_to(folder)))
    rows = []
    for i in range(4_000):
        split = "test" if i >= 3_000 else "train"
        image = images[i].astype("float32") * rng.choice([0.25, 1.0])
        noisy = np.clip(image + rng.normal(0, 60, image.shape), 0, 255)
        sound = str(rng.choice(sounds[split][int(labels[i])]))
        name = f"digits/{i}.png"
        path = pathlib.Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(noisy.astype("uint8")))
        label = str(labels[i])
        rows.append({"written": name, "spoken": sound, "digit": label, "split": split})
    return write(folder, rows), "digit", ["--task", "label"]


def keypad(folder):
    """Key, digit and tone, all of them needed."""
    from data_pipelines.datasets import keypad as table

    path, test = table.write(folder, rows=4_000)
    rows = pl.read_csv(path).with_columns(split=pl.lit("train"))
    rows = pl.concat([rows, pl.read_csv(test).with_columns(split=pl.lit("test"))])
    return write(folder, rows), "answer", ["--task", "label"]


def png(image):
    """The bytes of a PNG of a gray image."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


TABLES = {
    "houses": houses,
    "vqa-rad closed": lambda folder: vqa_rad(folder, "CLOSED"),
    "vqa-rad open": lambda folder: vqa_rad(folder, "OPEN"),
    "emodb": emodb,
    "esc-10": esc_10,
    "heart-sounds": heart_sounds,
    "snips": snips,
    "clinc150": clinc150,
    "cmu-mosi": cmu_mosi,
    "pneumoniamnist": pneumoniamnist,
    "spoken digits": spoken_digits,
    "nottingham": nottingham,
    "tuxpaint-stamps": tuxpaint_stamps,
    "av-mnist": av_mnist,
    "keypad": keypad,
}
