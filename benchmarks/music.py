"""Kinds of dances and instruments, by `music_classifier` and by words of notes.

`dances`: jigs, reels, hornpipes and waltzes of the Nottingham Music Database, from the
words of their notes (`late_fusion`), and from the first seconds as sound, which we play
at a tempo and a pitch that are drawn alike for all kinds. Titles and meters are not
read. A tune is in one split. `instruments`: single notes of a General MIDI font
(`--font`), tested on other pitches of the same font, and on a second font (`--second`)
that training has not. Next to each figure are the largest class and an SVM of the mean
and the deviation of each mel band. Needs `nottingham.tar.gz` in `$MBM_DATA_DIR`.
"""

import collections
import dataclasses
import pathlib
import tempfile
import time

import common
import numpy as np
import real_data

KINDS = {"jigs": "jig", "reels": "reel", "hpps": "hornpipe", "waltzes": "waltz"}
FONTS = "/usr/share/sounds/sf2"
SECONDS, RATE = 8.0, 8_000
PARTS = ("dances", "instruments")


def main():
    """Prints the figures of one part, or of both."""
    arguments = common.options(
        __doc__,
        part=(str, "", f"one of {', '.join(PARTS)}; both if empty"),
        font=(str, f"{FONTS}/FluidR3_GM.sf2", "font of training"),
        second=(str, f"{FONTS}/TimGM6mb.sf2", "font of the second test"),
        rows=(int, 2_000, "notes of each font"),
        epochs=(int, 12, "epochs on sound"),
        seed=(int, 0, "seed of training"),
    )
    if arguments.quick:
        arguments.rows, arguments.epochs = 300, 2
    result = {"seed": arguments.seed}
    for part in [arguments.part] if arguments.part else PARTS:
        with tempfile.TemporaryDirectory() as folder:
            result |= globals()[f"measure_{part}"](pathlib.Path(folder), arguments)
    common.show(result, arguments.json)


def measure_dances(folder, arguments):
    """Accuracies from notes and from sound."""
    rows, unread = tunes(folder, arguments.seed)
    sizes = collections.Counter(row["kind"] for row in rows)
    result = {f"tunes, {kind}": count for kind, count in sizes.items()}
    result["tunes that cannot be read"] = unread
    for name, column, model in (
        ("notes", "notes", "late_fusion"),
        ("sound", "sound", "music_classifier"),
    ):
        table = [{k: row[k] for k in (column, "kind", "split")} for row in rows]
        path = real_data.write(folder, table)
        epochs = arguments.epochs if column == "sound" else None
        found = fit(path, "kind", model, epochs, arguments.seed)
        result |= {f"dances, {name}, {key}": value for key, value in found.items()}
    result["dances, SVM of the sound"] = svm(folder, rows, "kind")["test"]
    result["dances, largest class"] = largest(rows, "kind")
    return result


def tunes(folder, seed):
    """Rows of tunes with their words, their sound and their kind."""
    import soundfile

    from data_pipelines.datasets import melodies
    from data_pipelines.formats import abc_notes

    top = real_data.unpack("nottingham", folder)
    (folder / "tunes").mkdir()
    rng, rows, unread = np.random.default_rng(seed), [], 0
    for path in sorted(top.rglob("*.abc")):
        kinds = [kind for name, kind in KINDS.items() if path.name.startswith(name)]
        if not kinds:
            continue
        for i, text in enumerate(abc_notes.split_tunes(path.read_text())):
            try:
                notes = abc_notes.read_tune(text).notes
            except ValueError:
                unread += 1
                continue
            shift = int(rng.integers(-6, 6))
            moved = [
                n if n.pitch is None else dataclasses.replace(n, pitch=n.pitch + shift)
                for n in notes
            ]
            tempo = rng.uniform(120, 200)
            sound = melodies.play(
                moved, quarters=tempo, seconds=SECONDS, rng=rng, sample_rate=RATE
            )
            name = f"tunes/{path.stem}_{i}.wav"
            soundfile.write(folder / name, sound, RATE)
            words = melodies.words(notes)
            rows.append({"notes": words, "sound": name, "kind": kinds[0]})
    split = real_data.split_of([row["notes"] for row in rows], 0.25)
    return [
        {**row, "split": part} for row, part in zip(rows, split, strict=True)
    ], unread


def measure_instruments(folder, arguments):
    """Accuracies on other pitches of the same font, and on a second font."""
    import polars as pl

    from data_pipelines.datasets import instruments

    options = dict(rows=arguments.rows, seed=0)
    path = instruments.write(folder / "a", font=arguments.font, **options)
    other = instruments.write(folder / "b", font=arguments.second, **options)
    rows = pl.read_csv(path).to_dicts()
    test = pl.read_csv(other).filter(pl.col("split") == "test").drop("split")
    test.write_csv(other)
    found = fit(
        path, "instrument", "music_classifier", arguments.epochs, arguments.seed, other
    )
    result = {f"instruments, {key}": value for key, value in found.items()}
    second = [{**row, "sound": f"../b/{row['sound']}"} for row in test.to_dicts()]
    scores = svm(folder / "a", rows, "instrument", second)
    result |= {f"instruments, SVM, {key}": value for key, value in scores.items()}
    result["instruments, largest class"] = largest(rows, "instrument")
    return result


def fit(path, target, model, epochs, seed, other=None):
    """Accuracies of `mbm train` on the test rows, and on another table."""
    import mbm_keras as mbm

    start = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        run = mbm.train(
            path,
            target,
            model=model,
            epochs=epochs,
            seed=seed,
            members=1,
            out=f"{out}/run",
            baselines=False,
            verbose=0,
        )
        scores = run.metrics["splits"]["test"]
        found = {"test": scores["accuracy"]}
        if other is not None:
            found["second font"] = run.evaluate(other)["accuracy"]
    found["CPU seconds"] = round(time.process_time() - start)
    return found


def largest(rows, target):
    """Share of the largest class of training among the test rows."""
    by_split = {
        name: [row[target] for row in rows if (row["split"] == "test") == is_test]
        for name, is_test in (("train", False), ("test", True))
    }
    most = collections.Counter(by_split["train"]).most_common(1)[0][0]
    return by_split["test"].count(most) / len(by_split["test"])


def svm(folder, rows, target, second=()):
    """Accuracies of an SVM of the mean and the deviation of each mel band."""
    import sklearn.pipeline
    import sklearn.preprocessing
    import sklearn.svm
    import soundfile
    import tensorflow as tf

    from mbm_keras.preprocessing import LogMel

    info = soundfile.info(folder / rows[0]["sound"])
    reader = LogMel(info.samplerate, info.duration, 64)
    decode = tf.function(reader.decode)

    def statistics(part):
        found = []
        for i in range(0, len(part), 64):
            data = [(folder / row["sound"]).read_bytes() for row in part[i : i + 64]]
            x = decode(tf.constant(data))[0].numpy()
            x -= x.mean(axis=(1, 2), keepdims=True)
            changes = np.diff(x, axis=1).std(axis=1)
            found.append(np.concatenate([x.mean(1), x.std(1), changes], axis=1))
        return np.concatenate(found), [row[target] for row in part]

    train = [row for row in rows if row["split"] != "test"]
    model = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.svm.SVC(C=10)
    )
    model.fit(*statistics(train))
    parts = {"test": [row for row in rows if row["split"] == "test"]}
    parts |= {"second font": second} if second else {}
    return {name: float(model.score(*statistics(part))) for name, part in parts.items()}


if __name__ == "__main__":
    main()
