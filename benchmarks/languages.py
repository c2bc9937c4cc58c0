"""Languages of speech: `language_identifier` on the voices it has heard, and on others.

Spoken captions of the Tux Paint stamps, about one voice a language: what is learned may
be the voice. `same voices` are other captions of the same voices, `other voices` are
the recordings of `--other`, a folder with a folder per voice whose name begins with a
language (`es_MX_f_Allison`), such as those of Debian's `asterisk-core-sounds-es-wav`.
Where `espeak-ng` is installed, training hears its voices too, at many pitches and
speeds, each saying captions of training. Everything is cut at 3.4 kHz, since a
telephone has no more. An SVM on the same recordings is next to each figure. Needs
`tuxpaint-speech.tar.gz` in `$MBM_DATA_DIR`.
"""

import csv
import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
import time

import common
import numpy as np
import real_data

OTHER = "/usr/share/asterisk/sounds"
RATE, BANDS = 6_800, 32  # hertz, up to the half of which is heard
VARIANTS = ("", "+m1", "+m3", "+m4", "+m7", "+f1", "+f2", "+f3", "+f5", "+whisper")
ACCENTS = {"es": ("es", "es-419"), "fr": ("fr-fr", "fr-be", "fr-ch")}
SHORTEST = 0.7  # seconds of a recording of another voice


def main():
    """Prints the figures with and without synthetic voices."""
    arguments = common.options(
        __doc__,
        languages=(str, "es,fr,ru", "which of es, fr, ru, ca"),
        other=(str, OTHER, "folder of other voices"),
        spoken=(int, 600, "captions of each language that espeak-ng says; 0 for none"),
        epochs=(int, 12, "epochs"),
        seed=(int, 0, "seed of training"),
    )
    languages = arguments.languages.split(",")
    epochs, spoken = arguments.epochs, arguments.spoken
    if arguments.quick:
        epochs, spoken = 2, min(spoken, 60)
    spoken = spoken if shutil.which("espeak-ng") else 0
    result = {"languages": len(languages), "seed": arguments.seed}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = stamps(folder, languages)
        others = other_voices(arguments.other, languages)
        result["captions"], result["other voices"] = len(rows), len(others)
        tables = {"one voice a language": rows}
        if spoken:
            more = speak(folder, rows, spoken, arguments.seed)
            result["synthetic"] = len(more)
            tables["and synthetic voices"] = rows + more
        for name, table in tables.items():
            found = measure(folder, table, others, epochs, arguments.seed)
            result |= {f"{name}: {key}": value for key, value in found.items()}
    common.show(result, arguments.json)


def stamps(folder, languages):
    """Rows of captions; those of one stamp are in one split in all languages."""
    top = real_data.unpack("tuxpaint-speech", folder)
    with open(top / "speech.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["language"] in languages]
    split = real_data.split_of([row["id"] for row in rows], 0.2)
    return [
        {
            "voice": str(top / row["file"]),
            "language": row["language"],
            "split": part,
            "stamp": row["id"],
            "text": row["text"],
        }
        for row, part in zip(rows, split, strict=True)
    ]


def other_voices(folder, languages):
    """Rows of recordings of voices that training has not."""
    import soundfile

    rows = []
    for path in sorted(pathlib.Path(folder).glob("*/*.wav")):
        language = path.parent.name[:2]
        if language in languages and soundfile.info(path).duration >= SHORTEST:
            rows.append({"voice": str(path), "language": language})
    return rows


def speak(folder, rows, number, seed):
    """Rows of captions of training that synthetic voices say."""
    rng = np.random.default_rng(seed)
    (folder / "spoken").mkdir()
    made = []
    for language in sorted({row["language"] for row in rows}):
        known = [
            row
            for row in rows
            if row["language"] == language and row["split"] == "train"
        ]
        for i in range(number):
            row = known[rng.integers(len(known))]
            path = folder / "spoken" / f"{language}_{i}.wav"
            voice = rng.choice(ACCENTS.get(language, (language,)))
            command = ["espeak-ng", "-v", f"{voice}{rng.choice(VARIANTS)}"]
            command += [
                "-p",
                str(rng.integers(20, 80)),
                "-s",
                str(rng.integers(120, 200)),
            ]
            command += ["-w", str(path), row["text"]]
            subprocess.run(command, check=True)
            made.append({**row, "voice": str(path), "stamp": row["stamp"]})
    return made


def measure(folder, rows, others, epochs, seed):
    """Accuracies of the model and of an SVM, on the same and on other voices."""
    import mbm_keras as mbm

    columns = ("voice", "language", "split", "stamp")
    path = folder / "rows.csv"
    real_data.write(folder, [{name: row[name] for name in columns} for row in rows])
    start = time.process_time()
    plan = mbm.plan(
        path,
        "language",
        model="language_identifier",
        group="stamp",
        epochs=epochs,
        seed=seed,
        allow_outside=True,
    )
    voice = plan.inputs["voice"]
    sizes = {**voice.sizes, "sample_rate": RATE, "num_mel_bins": BANDS}
    plan = dataclasses.replace(
        plan, inputs={"voice": dataclasses.replace(voice, sizes=sizes)}
    )
    with tempfile.TemporaryDirectory() as out:
        run = mbm.train(
            path,
            plan=plan,
            out=f"{out}/run",
            baselines=False,
            verbose=0,
            allow_outside=True,
        )
        found = {"same voices": run.metrics["splits"]["test"]["accuracy"]}
        if others:
            name = pathlib.Path(out) / "other.csv"
            write(name, others)
            scores = run.evaluate(name, allow_outside=True)
            found["other voices"] = scores["accuracy"]
    found["CPU seconds"] = round(time.process_time() - start)
    return {**found, **svm(rows, others, sizes)}


def write(path, rows):
    """Writes dicts as a CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def svm(rows, others, sizes):
    """Accuracies of an SVM of the mean and spread of 20 cepstra and their changes."""
    import sklearn.pipeline
    import sklearn.preprocessing
    import sklearn.svm

    train = [row for row in rows if row["split"] != "test"]
    test = [row for row in rows if row["split"] == "test"]
    model = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.svm.SVC(C=10)
    )
    model.fit(statistics(train, sizes), [row["language"] for row in train])
    return {
        f"SVM, {name}": float(
            model.score(statistics(part, sizes), [row["language"] for row in part])
        )
        for name, part in (("same voices", test), ("other voices", others))
        if part
    }


def statistics(rows, sizes):
    """Mean and spread of the cepstra of each recording, and of their changes."""
    import scipy.fft
    import tensorflow as tf

    from data_pipelines.formats import transcode
    from mbm_keras.preprocessing import LogMel

    reader = LogMel(**sizes)
    decode = tf.function(reader.decode)
    found = []
    paths = [pathlib.Path(row["voice"]) for row in rows]
    data = [transcode.transcode(path.read_bytes(), "audio", reader) for path in paths]
    batches = [data[i : i + 64] for i in range(0, len(data), 64)]
    decoded = [decode(tf.constant(batch))[0].numpy() for batch in batches]
    for padded in np.concatenate(decoded):
        frames = padded[(padded != 0).any(axis=1)]
        cepstra = scipy.fft.dct(frames, axis=1, norm="ortho")[:, 1:20]
        changes = np.diff(cepstra, axis=0)
        parts = [x.mean(axis=0) for x in (cepstra, changes)]
        parts += [x.std(axis=0) for x in (cepstra, changes)]
        found.append(np.concatenate(parts))
    return np.array(found)


if __name__ == "__main__":
    main()
