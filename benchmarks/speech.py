"""Speech recognition: digit strings, AN4, and the speed of the search.

`digits`: strings of one to six spoken digits with pauses, `mbm train` on four speakers
and `mbm evaluate` on the fifth, in turn. `an4`: the published mel cepstra and test
utterances of AN4, ten speakers that training has not; greedy, and a prefix beam with
the words of the training texts, whose order, weight and bonus seven speakers of
training choose, as the epoch.
`decoding`: texts per CPU second of our searches, and of `pyctcdecode` where it is
installed, on the same simulated logits.

Published for AN4 (ESPnet's transformer, from the sound): WER 7.4 with and 7.6 without a
language model, CER 3.6.
"""

import csv
import functools
import itertools
import pathlib
import tempfile
import time

import common
import numpy as np
import real_data
import speech_table

PARTS = ("digits", "an4", "decoding")
DIGITS = "zero one two three four five six seven eight nine".split()
RATE = 8_000
FRACTION = 0.04  # seconds of a step
EPOCHS = 60  # of AN4
BANDS = 26  # that 13 cepstra are turned into
ORDERS = (2, 3)  # words in a row
WEIGHTS = (0.0, 0.3, 0.6, 1.0)
BONUSES = (1.0, 2.0, 3.0, 4.0)  # of a word, times the weight


def main():
    """Runs one part, or all."""
    arguments = common.options(
        __doc__,
        part=(str, None, f"one of {', '.join(PARTS)}"),
        seed=(int, 0, "seed of training"),
        rows=(int, 150, "digit strings per speaker"),
        epochs=(int, EPOCHS, "epochs of AN4"),
    )
    result = {"seed": arguments.seed}
    for part in [arguments.part] if arguments.part else PARTS:
        result[part] = globals()[f"measure_{part}"](arguments)
    common.show(result, arguments.json)


def measure_digits(arguments):
    """Error rates of each speaker, of whom training has nothing."""
    found = {}
    rows = 20 if arguments.quick else arguments.rows
    with tempfile.TemporaryDirectory() as folder:
        table = digit_strings(folder, rows)
        speakers = sorted({row["speaker"] for row in table})
        for speaker in speakers[:1] if arguments.quick else speakers:
            for name in ("train", "test"):
                is_test = name == "test"
                some = [x for x in table if (x["speaker"] == speaker) == is_test]
                write(pathlib.Path(folder) / f"{name}.csv", some)
            run = f"{folder}/run-{speaker}"
            command = ["-m", "mbm_keras.cli", "train", f"{folder}/train.csv"]
            command += ["--target", "text", "--group", "speaker", "--out", run]
            command += ["--task", "transcript", "--seed", str(arguments.seed)]
            command += ["--epochs", "3"] if arguments.quick else []
            trained = common.child([*command, "--json"])
            command = ["-m", "mbm_keras.cli", "evaluate", run, f"{folder}/test.csv"]
            tested = common.child([*command, "--json"])
            names = ("wer", "wer_low", "wer_high", "cer")
            found[speaker] = {name: tested[name] for name in names}
            found[speaker]["cpu_seconds"] = trained["cpu_seconds"]
    found["mean_wer"] = float(np.mean([one["wer"] for one in found.values()]))
    return found


def digit_strings(folder, rows, seed=0):
    """Writes strings of digits, and returns their rows: `sound`, `text`, `speaker`."""
    import soundfile

    folder = pathlib.Path(folder)
    (folder / "strings").mkdir()
    rng = np.random.default_rng(seed)
    by_speaker = {}
    for path in speech_table.recordings(folder):
        digit, speaker, _ = pathlib.Path(path).stem.split("_")
        wave, _ = soundfile.read(folder / path)
        wave = wave / max(np.abs(wave).max(), 1e-3)
        by_speaker.setdefault(speaker, []).append((DIGITS[int(digit)], wave))
    table = []
    for speaker, takes in sorted(by_speaker.items()):
        for number in range(rows):
            chosen = rng.integers(0, len(takes), rng.integers(1, 7))
            parts = [_pause(rng)]
            for i in chosen:
                parts += [takes[i][1] * rng.uniform(0.3, 0.9), _pause(rng)]
            wave = np.concatenate(parts)
            wave += rng.normal(0, 10 ** rng.uniform(-4, -2.5), len(wave))
            path = f"strings/{speaker}_{number}.wav"
            soundfile.write(folder / path, np.clip(wave, -1, 1), RATE)
            text = " ".join(takes[i][0] for i in chosen)
            table.append({"sound": path, "text": text, "speaker": speaker})
    return table


def _pause(rng):
    return np.zeros(round(RATE * rng.uniform(0.02, 0.3)))


def write(path, rows):
    """Writes dicts as a CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def measure_an4(arguments):
    """Error rates on the published test utterances."""
    from mbm_keras.generation import ctc
    from mbm_keras.metrics import error_rates

    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        top = real_data.unpack("an4", folder)
        train, test = (read_an4(top, name) for name in ("train", "test"))
    speakers = sorted({row["speaker"] for row in train[1]})
    held = set(np.random.default_rng(0).permutation(speakers)[:7])
    alphabet = "".join(sorted({c for row in train[1] for c in row["text"]}))
    is_held = np.array([row["speaker"] in held for row in train[1]])
    epochs = 1 if arguments.quick else arguments.epochs
    predict, parameters = train_an4(train, is_held, alphabet, epochs, arguments.seed)
    texts = np.array([row["text"] for row in train[1]])
    valid, asked = predict(train[0][is_held]), predict(test[0])

    def hear(rows, choice, learned):
        order, weight, bonus = choice
        ngrams = ctc.NGrams.learn([text.split() for text in learned], order)
        language = ctc.WordLanguage(ngrams, alphabet, weight, bonus * weight)
        beam = ctc.PrefixBeam(16, language)
        return ["".join(alphabet[i - 1] for i in beam(row).ids) for row in rows]

    # The words of the speakers who choose are not learned then.
    said, others = texts[is_held].tolist(), texts[~is_held].tolist()
    choices = list(itertools.product(ORDERS, WEIGHTS, BONUSES))
    errors = {c: error_rates(hear(valid, c, others), said)["wer"] for c in choices}
    choice = min(choices, key=errors.get)
    heard = hear(asked, choice, texts.tolist())
    truth, units = ([row[key] for row in test[1]] for key in ("text", "speaker"))
    greedy = ["".join(alphabet[i - 1] for i in ctc.greedy(row)) for row in asked]
    return {
        "parameters": parameters,
        "epochs": epochs,
        "utterances": len(truth),
        "greedy": error_rates(greedy, truth, units),
        "choice": dict(zip(("order", "weight", "bonus"), choice, strict=True)),
        "valid_wer": errors[choice],
        "words": error_rates(heard, truth, units),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


def read_an4(top, name):
    """Log-mel spectra that the cepstra of each utterance describe, and its row.

    The cosines of 13 cepstra over bands: as smooth a spectrum as they hold.
    """
    arrays = np.load(top / f"{name}.npz")
    with open(top / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    positions = (np.round(np.linspace(0, 39, BANDS)) + 0.5) / 40
    cosines = 2 * np.cos(np.pi * np.arange(13)[:, None] * positions)
    cosines[0] /= 2
    spectra = arrays["frames"].astype("float32") @ cosines.astype("float32")
    starts = arrays["starts"]
    padded = np.zeros((len(rows), np.diff(starts).max(), BANDS), "float32")
    for i in range(len(rows)):
        part = spectra[starts[i] : starts[i + 1]]
        padded[i, : len(part)] = part
    return padded, rows


def train_an4(train, is_held, alphabet, epochs, seed):
    """A function from spectra to log probabilities, and the number of weights."""
    import keras

    from data_pipelines import Samples
    from data_pipelines import augment
    from mbm_keras import training
    from mbm_keras.generation import ctc
    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import speech_recognizer
    from mbm_keras.preprocessing import Transcript
    from mbm_keras.tasks import task_for

    target = Transcript(alphabet, 60)
    ids = target.encode([row["text"] for row in train[1]])
    learned, valid = (
        Samples.from_arrays({"audio": train[0][part]}, {"text": ids[part]})
        for part in (~is_held, is_held)
    )
    keras.utils.set_random_seed(seed)
    sound = InputSpec("audio", "audio", {"frames": None, "num_mel_bins": BANDS})
    task = task_for("text", target)
    model = speech_recognizer.build(inputs=[sound], task=task)
    training.fit_stages(
        model,
        [training.Stage("training", epochs, 2e-3, average=True)],
        functools.partial(
            learned.batches,
            16,
            shuffle=True,
            seed=seed,
            augment={"audio": augment.speech()},
            bucket_by="audio",
        ),
        functools.partial(valid.batches, 64, bucket_by="audio"),
        task=task,
        verbose=2,
    )

    def predict(spectra):
        logits = model.predict({"audio": spectra}, batch_size=32, verbose=0)["text"]
        return [ctc.log_probabilities(row) for row in logits]

    return predict, model.count_params()


def measure_decoding(arguments):
    """Texts per CPU second, of simulated logits of the test texts of AN4."""
    from mbm_keras.generation import ctc

    with tempfile.TemporaryDirectory() as folder:
        top = real_data.unpack("an4", folder)
        texts, learned = (
            [row["text"] for row in read_an4(top, name)[1]]
            for name in ("test", "train")
        )
    texts = texts[:20] if arguments.quick else texts
    alphabet = "".join(sorted(set("".join(learned))))
    rows = [simulate(text, alphabet, i) for i, text in enumerate(texts)]
    ngrams = ctc.NGrams.learn([text.split() for text in learned], 2)
    searches = {
        "greedy": ctc.greedy,
        "beam 16": ctc.PrefixBeam(16),
        "beam 16, words": ctc.PrefixBeam(
            16, ctc.WordLanguage(ngrams, alphabet, 0.6, 0.6)
        ),
    }
    steps = sum(map(len, rows))
    found = {"texts": len(rows), "sound_seconds": round(steps * FRACTION, 1)}
    for name, search in searches.items():
        found[name] = measure_speed(search, rows)
    try:
        import pyctcdecode
    except ImportError:
        return {**found, "pyctcdecode": "not installed"}
    decoder = pyctcdecode.build_ctcdecoder(["", *alphabet])
    peer = functools.partial(decoder.decode, beam_width=16)
    return {**found, "pyctcdecode, beam 16": measure_speed(peer, rows)}


def simulate(text, alphabet, seed):
    """Log probabilities of a text: a letter in one or two steps, a blank or two."""
    from mbm_keras.generation import ctc

    rng = np.random.default_rng(seed)
    symbols = []
    for letter in text:
        symbols += [alphabet.index(letter) + 1] * rng.integers(1, 3)
        symbols += [0] * rng.integers(1, 3)
    logits = 6.0 * np.eye(len(alphabet) + 1)[symbols]
    return ctc.log_probabilities(logits + rng.normal(0, 1.5, logits.shape))


def measure_speed(search, rows):
    """Texts per CPU second."""
    search(rows[0])
    start = time.process_time()
    for row in rows:
        search(row)
    return round(len(rows) / (time.process_time() - start), 1)


if __name__ == "__main__":
    main()
