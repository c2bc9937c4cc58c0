"""Looking to Listen on spoken digits and on four clips of faces, and as it is served.

`--part` chooses `digits` or `grid`, which has `served` behind it, or all:

    digits    one of two voices, told by what it says
    grid      four clips of talking faces, mixed in pairs, told by their mouths
    served    time and agreement of the SavedModel against the Python model

digits: two recordings of the free-spoken-digit-dataset are mixed, of different digits
at equal power give or take 2.5 dB; the sight of the wanted one is a written digit of
scikit-learn that shows what it says. One speaker and a fifth of the drawings are held
out. Preset for two cores: 0.6 s at 8 kHz, 36 frames of 129 bins, six convolutions of 16
channels, an LSTM of 160 in each direction.

    with sight                   the wanted one, told by its digit
    wrong sight                  the same model, shown the digit of the other
    without sight                two voices, of which it cannot say which is wanted:
                                 the mean of both orders
    without sight, order told    the same voices, and the better order is taken

grid: three seconds at 8 kHz, 75 crops of 24 x 24 around the mouth of each of two; all
six pairs, at levels drawn anew, and scored at levels that it has not met. Four clips
prove the path and no generalisation: it has heard these very sentences. Goal: 10 dB.

served: the separator of `grid` from WAV and NPY bytes to sound, seconds of it per
second of work, two threads.

Printed are the means of SDR and SI-SDR and of their improvement over the mixture, in
decibels, on mixtures of the speaker held out. Goal: sight helps by 3 dB against the
wrong sight and against none of it. Published, of other data: 10.3 dB for two clean
speakers with both faces, 8.6 without.
"""

import itertools
import os
import pathlib
import tarfile
import tempfile
import time

import common
import numpy as np
from fusion_tasks import RATE
from fusion_tasks import SOUND
from fusion_tasks import recordings

SECONDS, SEED, BATCH, SIDE = 0.6, 0, 16, 16
RATE_OF_LEARNING = 2e-3
GRID, LONG, STEPS, MOUTH = "grid-sample.tar.gz", 3.0, 75, 24
# Middle of the mouth in the frames of 288 x 360: row and column, found by eye.
MOUTHS = {
    "bbaf2n": (220, 160),
    "brbk7n": (222, 170),
    "lbax4n": (206, 190),
    "lbbc2a": (233, 188),
}
SHAPE = dict(window=256, hop=128, fft=256)
SMALL = dict(SHAPE, filters=16, visual_filters=32, sight=32)


def digits():
    """By split: waves, the digit and the speaker of each, and drawings by digit."""
    from sklearn.datasets import load_digits

    from data_pipelines.datasets import keypad
    from mbm_keras.preprocessing import Pixels

    rng = np.random.default_rng(SEED)
    spoken = recordings(SOUND, ".wav", lambda name: name.split("_")[:2])
    speakers = sorted({speaker for (_, speaker), _ in spoken})
    held_out = speakers[SEED % len(speakers)]
    size = int(RATE * SECONDS)
    drawn, pixels = load_digits(), Pixels(SIDE)
    pictures = np.stack([pixels(keypad.png(image)).numpy() for image in drawn.images])
    order = rng.permutation(len(pictures))
    kept = {"train": order[len(order) // 5 :], "test": order[: len(order) // 5]}
    splits = {}
    for split in ("train", "test"):
        mine = [
            (int(digit), np.pad(wave[:size], [0, max(0, size - len(wave))]))
            for (digit, speaker), wave in spoken
            if (speaker == held_out) == (split == "test")
        ]
        splits[split] = {
            "waves": np.stack([wave for _, wave in mine]).astype("float32"),
            "digits": np.array([digit for digit, _ in mine]),
            "pictures": [
                pictures[kept[split][drawn.target[kept[split]] == digit]]
                for digit in range(10)
            ],
        }
    return splits


def mixed(split, rows, epoch):
    """Arrays of one epoch: mixtures, both parts, and a picture of each."""
    from data_pipelines.datasets import mixtures

    rng = np.random.default_rng((SEED, epoch))
    shown = np.stack(
        [
            split["pictures"][digit][rng.integers(len(split["pictures"][digit]))]
            for digit in split["digits"]
        ]
    )
    made = mixtures.mix(
        split["waves"],
        rows=rows,
        sight=shown,
        groups=split["digits"],
        seed=SEED,
        epoch=epoch,
    )
    inputs, targets = next(made.batch(rows).as_numpy_iterator())
    return inputs["mixture"], targets["speakers"], inputs["sight"]


def built(sighted):
    """A model that takes out the voice that is seen, or one that takes out both."""
    import keras

    from mbm_keras.losses import SpectrogramLoss
    from mbm_keras.models import looking_to_listen

    keras.utils.set_random_seed(SEED)
    model = looking_to_listen.build(
        samples=int(RATE * SECONDS),
        **SMALL,
        audio=looking_to_listen.AUDIO[:6],
        visual=looking_to_listen.SIGHT[1:2],
        steps=1 if sighted else 0,
        face=SIDE if sighted else None,
        units=160,
        dense=256,
        speakers=1 if sighted else 2,
    )
    loss = SpectrogramLoss(**SHAPE, any_order=not sighted)
    model.compile(
        keras.optimizers.Adam(RATE_OF_LEARNING, global_clipnorm=5.0),
        {"speakers": loss},
        jit_compile=False,
        steps_per_execution=8,
    )
    return model


def trained(split, sighted, epochs, rows):
    """Trains on new mixtures in every epoch."""

    def drawn(epoch):
        mixture, parts, sight = mixed(split, rows, epoch)
        if not sighted:
            return {"mixture": mixture}, parts
        wanted = {"mixture": mixture, "sight": sight[:, :1, None]}
        return wanted, parts[:, :1]  # the first is wanted

    return learned(built(sighted), drawn, epochs, BATCH)


def learned(model, drawn, epochs, batch):
    """The model after epochs of mixtures that `drawn` gives, and its CPU seconds."""
    start = time.process_time()
    for epoch in range(epochs):
        x, y = drawn(epoch)
        falling = 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        model.optimizer.learning_rate = RATE_OF_LEARNING * falling
        model.fit(x, {"speakers": y}, batch, epochs=1, verbose=0)
    return model, time.process_time() - start


def scored(waves, parts, mixture):
    """Means over the mixtures, and over the sounds `(mixtures, sounds, samples)`."""
    from mbm_keras.metrics import separation_scores

    each = [
        separation_scores(*three) for three in zip(waves, parts, mixture, strict=True)
    ]
    return {name: float(np.mean([e[name] for e in each])) for name in each[0]}


def in_best_order(waves, parts):
    """The sounds in the order that fits the parts best, row by row."""
    from mbm_keras.metrics import si_sdr

    best = []
    for said, wanted in zip(waves, parts, strict=True):
        orders = [said[list(o)] for o in itertools.permutations(range(len(said)))]
        best.append(max(orders, key=lambda s, w=wanted: si_sdr(s, w).mean()))
    return np.stack(best)


def digits_scored(epochs, rows, tested):
    """Trains with and without sight, and listens to a speaker neither has heard."""
    from mbm_keras.models import looking_to_listen

    splits = digits()
    mixture, parts, sight = mixed(splits["test"], tested, 0)
    result = {"seed": SEED, "mixtures": epochs * rows, "tested": tested}

    model, seconds = trained(splits["train"], True, epochs, rows)
    separator = looking_to_listen.separator(model)
    for name, which in (("with sight", 0), ("wrong sight", 1)):
        x = {"mixture": mixture, "sight": sight[:, which : which + 1, None]}
        waves = separator.predict(x, 50, verbose=0)["speakers"]
        result[name] = scored(waves, parts[:, :1], mixture)
    result["with sight"]["CPU seconds"] = seconds

    model, seconds = trained(splits["train"], False, epochs, rows)
    separator = looking_to_listen.separator(model)
    waves = separator.predict({"mixture": mixture}, 50, verbose=0)["speakers"]
    both = [scored(waves[:, i : i + 1], parts[:, :1], mixture) for i in range(2)]
    result["without sight"] = {k: (both[0][k] + both[1][k]) / 2 for k in both[0]}
    waves = in_best_order(waves, parts)
    result["without sight, order told"] = scored(waves[:, :1], parts[:, :1], mixture)
    result["without sight, order told"]["CPU seconds"] = seconds
    for name in ("wrong sight", "without sight", "without sight, order told"):
        gained = result["with sight"]["sdr"] - result[name]["sdr"]
        result[f"sight helps, dB of SDR over {name}"] = gained
    return result


def grid_clips():
    """By name of the clip its bytes."""
    with tarfile.open(pathlib.Path(os.environ["MBM_DATA_DIR"]) / GRID) as tar:
        return {
            name: tar.extractfile(f"grid/{name}.mpg").read() for name in sorted(MOUTHS)
        }


def heard_and_seen(data, name):
    """Three seconds of a clip, and 75 crops of its mouth."""
    from data_pipelines.formats import video
    from data_pipelines.formats.sound import soundtrack
    from mbm_keras.preprocessing import Waveform

    y, x = MOUTHS[name]
    box = ((y - 32) / 288, (x - 32) / 360, (y + 32) / 288, (x + 32) / 360)
    times = (np.arange(STEPS) + 0.5) / 25
    wave = Waveform(RATE, LONG)(soundtrack(data, 10**7)).numpy()
    return wave, video.crops(data, times, [box], MOUTH)[0]


def grid_built():
    """A model that takes two voices out, each told by its mouth."""
    import keras

    from mbm_keras.losses import SpectrogramLoss
    from mbm_keras.models import looking_to_listen

    keras.utils.set_random_seed(SEED)
    model = looking_to_listen.build(
        samples=int(RATE * LONG),
        **SMALL,
        audio=looking_to_listen.AUDIO[:6],
        visual=looking_to_listen.SIGHT[:3],
        steps=STEPS,
        face=MOUTH,
        units=96,
        dense=128,
    )
    model.compile(
        keras.optimizers.Adam(RATE_OF_LEARNING, global_clipnorm=5.0),
        {"speakers": SpectrogramLoss(**SHAPE)},
        jit_compile=False,
        steps_per_execution=6,
    )
    return model


def grid_scored(epochs):
    """Trains on the four clips in pairs; the model, and what it reaches."""
    from data_pipelines.datasets import mixtures
    from mbm_keras.models import looking_to_listen

    each = [heard_and_seen(data, name) for name, data in grid_clips().items()]
    waves, mouths = (np.stack(part) for part in zip(*each, strict=True))

    def drawn(epoch, rows=24):
        made = mixtures.mix(waves, rows=rows, sight=mouths, seed=SEED, epoch=epoch)
        x, y = next(made.batch(rows).as_numpy_iterator())
        return x, y["speakers"]

    model, seconds = learned(grid_built(), drawn, epochs, 4)
    separator = looking_to_listen.separator(model)
    x, parts = drawn(epochs)  # levels and pairs of an epoch that has not been
    result = {"seed": SEED, "mixtures": epochs * 24, "CPU seconds": seconds}
    for name, sight in (("right", x["sight"]), ("swapped", x["sight"][:, ::-1])):
        asked = {"mixture": x["mixture"], "sight": sight}
        said = separator.predict(asked, 4, verbose=0)["speakers"]
        result[f"mouths {name}"] = scored(said, parts, x["mixture"])
    return separator, result


def served(separator):
    """How fast the SavedModel is, and how far it is from the Python model."""
    import tensorflow as tf

    from data_pipelines.formats.encode import npy_bytes
    from data_pipelines.formats.encode import wav_bytes
    from mbm_keras.export import save
    from mbm_keras.preprocessing import Faces
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Sounds
    from mbm_keras.preprocessing import Waveform

    features = Features(mixture=Waveform(RATE, LONG), sight=Faces(2, STEPS, MOUTH))
    (one, other), *_ = itertools.combinations(grid_clips().items(), 2)
    each = [heard_and_seen(data, name) for name, data in (one, other)]
    mixture = (each[0][0] + each[1][0]) / 2
    mouths = np.stack([mouth for _, mouth in each])
    raw = {
        "mixture": wav_bytes(mixture[:, None], RATE),
        "sight": npy_bytes(mouths.reshape(-1, MOUTH, MOUTH, 3)),
    }
    raw = {name: tf.constant([data]) for name, data in raw.items()}
    x = {"mixture": mixture[None], "sight": mouths[None]}
    expected = separator.predict_on_batch(x)["speakers"]
    with tempfile.TemporaryDirectory() as folder:
        save(separator, features, folder, targets={"speakers": Sounds(RATE)})
        model = tf.saved_model.load(folder)
        waves = model.serve(raw)["speakers_waves"].numpy()
        took = []
        for _ in range(10):
            start = time.perf_counter()
            model.serve(raw)
            took.append(time.perf_counter() - start)
    return {
        "seconds of sound per second": LONG / min(took),
        "real-time factor": min(took) / LONG,
        "largest difference": float(np.abs(waves - expected).max()),
        "loudest sample": float(np.abs(expected).max()),
    }


def main():
    """Measures what is asked for."""
    arguments = common.options(
        __doc__,
        epochs=(int, None, "of the digits, of 1,600 mixtures each"),
        part=(str, "all", "digits, grid (with served)"),
    )
    folder = pathlib.Path(os.environ.get("MBM_DATA_DIR", ""))
    for archive in (SOUND, GRID):
        if not (folder / archive).is_file():
            raise SystemExit(f"Set MBM_DATA_DIR to the folder that holds {archive}.")
    result = {}
    if arguments.part in ("all", "digits"):
        epochs, rows, tested = (1, 256, 40) if arguments.quick else (40, 1_600, 300)
        result["digits"] = digits_scored(arguments.epochs or epochs, rows, tested)
    if arguments.part in ("all", "grid"):
        separator, result["grid"] = grid_scored(2 if arguments.quick else 300)
        result["served"] = served(separator)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
