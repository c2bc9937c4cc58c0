"""Looking to Listen on spoken digits, on four clips of faces, and as a SavedModel.

`--part` chooses `digits` or `grid` (with `served`), or all:

    digits    mixtures of two voices; a written digit says which one is wanted
    grid      mixtures of two of four clips of talking faces; the mouths are inputs
    served    time and agreement of the SavedModel with the Python model

digits: two recordings of the free-spoken-digit-dataset are mixed, of different digits
and with levels that differ from each other by up to 5 dB. The input `faces` is an image
of the wanted digit from scikit-learn. One speaker and a fifth of the images are held
out. Sizes for two cores: 0.6 s at 8 kHz, 36 steps of 129 frequencies, six convolutions
of 16 channels, an LSTM of 160 units in each direction.

    with image                   the wanted voice
    wrong image                  the same model, with the image of the other digit
    without image                two voices; the model cannot know which one is wanted:
                                 the mean of both orders
    without image, best order    the same voices in the order that fits best

grid: three seconds at 8 kHz, 75 crops of 24 x 24 around the mouth of each of two
speakers; all six pairs, at random levels, tested at levels that are not in training.
Four clips show that the method works, not that it generalizes: the model has heard
these sentences in training. Goal: 10 dB.

served: the separator of `grid` from WAV and NPY bytes to sound: seconds of sound per
second of work, two threads.

The figures are means of SDR and SI-SDR and of their improvement over the mixture, in
dB, on mixtures of the held-out speaker. Goal: the image adds 3 dB to the wrong image
and to no image. Published, on other data: 10.3 dB for two speakers with both faces, 8.6
without.
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
LEARNING_RATE = 2e-3
GRID, GRID_SECONDS, NUM_FRAMES, MOUTH = "grid-sample.tar.gz", 3.0, 75, 24
# Middle of the mouth in the frames of 288 x 360: row and column.
MOUTHS = {
    "bbaf2n": (220, 160),
    "brbk7n": (222, 170),
    "lbax4n": (206, 190),
    "lbbc2a": (233, 188),
}


def digits():
    """By split: waves, the digit of each, and images by digit."""
    import tensorflow as tf
    from sklearn.datasets import load_digits

    from data_pipelines.datasets import keypad
    from mbm_keras.preprocessing import Pixels

    rng = np.random.default_rng(SEED)
    spoken = recordings(SOUND, ".wav", lambda name: name.split("_")[:2])
    speakers = sorted({speaker for (_, speaker), _ in spoken})
    held_out = speakers[SEED % len(speakers)]
    size = int(RATE * SECONDS)
    written = load_digits()
    pngs = tf.constant([keypad.png(image) for image in written.images])
    images = Pixels(SIDE).decode(pngs)[0].numpy()  # (images, side, side, 3)
    order = rng.permutation(len(images))
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
            "images": [
                images[kept[split][written.target[kept[split]] == digit]]
                for digit in range(10)
            ],
        }
    return splits


def mix(split, rows, epoch):
    """Arrays of one epoch: mixtures, both sounds, and an image of each digit."""
    from data_pipelines.datasets import mixtures

    rng = np.random.default_rng((SEED, epoch))
    images = np.stack(
        [
            split["images"][digit][rng.integers(len(split["images"][digit]))]
            for digit in split["digits"]
        ]
    )
    made = mixtures.mix(
        split["waves"],
        rows=rows,
        faces=images,
        groups=split["digits"],
        seed=SEED,
        epoch=epoch,
    )
    inputs, targets = next(made.batch(rows).as_numpy_iterator())
    return inputs["mixture"], targets["speakers"], inputs["faces"]


def build(specs, task, num_kernels, visual_kernels, units, dense_units):
    """A compiled model; `steps_per_execution` as measured for these sizes."""
    import keras

    from mbm_keras.models import looking_to_listen
    from mbm_keras.models.looking_to_listen import Convolutions

    keras.utils.set_random_seed(SEED)
    model = looking_to_listen.build(
        inputs=specs,
        task=task,
        audio=Convolutions(16, looking_to_listen.AUDIO.kernels[:num_kernels]),
        visual=Convolutions(32, looking_to_listen.VISUAL.kernels[visual_kernels]),
        face_embedding_size=32,
        units=units,
        dense_units=dense_units,
    )
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=5.0),
        {"speakers": task.loss()},
        jit_compile=False,
        steps_per_execution=8 if units == 160 else 6,
    )
    return model


def separation(num_sounds, any_order=False):
    """The task of all models here."""
    from mbm_keras.tasks import Separation

    return Separation(num_sounds, window=256, hop=128, fft=256, any_order=any_order)


def specs(seconds, num_speakers, num_frames, face_size):
    """The inputs of a model; without faces where there are no speakers to see."""
    from mbm_keras.inputs import InputSpec

    mixture = InputSpec("mixture", "wave", dict(samples=int(RATE * seconds)))
    sizes = dict(num_speakers=num_speakers, num_frames=num_frames, face_size=face_size)
    faces = [InputSpec("faces", "faces", sizes)] if num_speakers else []
    return [mixture, *faces]


def train_on_digits(split, with_image, epochs, rows):
    """Trains on new mixtures in every epoch; the separator, and its CPU seconds."""

    def epoch_of(epoch):
        mixture, sounds, images = mix(split, rows, epoch)
        if not with_image:
            return {"mixture": mixture}, sounds
        wanted = {"mixture": mixture, "faces": images[:, :1, None]}
        return wanted, sounds[:, :1]  # the first is wanted

    task = separation(1 if with_image else 2, any_order=not with_image)
    inputs = specs(SECONDS, 1 if with_image else 0, 1, SIDE)
    model = build(inputs, task, 6, slice(1, 2), 160, 256)
    return train(model, task, epoch_of, epochs, BATCH)


def train(model, task, epoch_of, epochs, batch):
    """Trains on the mixtures of `epoch_of`; the separator, and its CPU seconds."""
    from mbm_keras.models import looking_to_listen

    start = time.process_time()
    for epoch in range(epochs):
        x, y = epoch_of(epoch)
        decay = 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        model.optimizer.learning_rate = LEARNING_RATE * decay
        model.fit(x, {"speakers": y}, batch, epochs=1, verbose=0)
    seconds = time.process_time() - start
    return looking_to_listen.separator(model, task), seconds


def score(waves, sounds, mixture):
    """Means over the mixtures, and over the sounds `(mixtures, sounds, samples)`."""
    from mbm_keras.metrics import separation_scores

    each = [separation_scores(*row) for row in zip(waves, sounds, mixture, strict=True)]
    return {name: float(np.mean([e[name] for e in each])) for name in each[0]}


def in_best_order(waves, sounds):
    """The waves in the order that fits the sounds best, row by row."""
    from mbm_keras.metrics import si_sdr

    best = []
    for answer, right in zip(waves, sounds, strict=True):
        orders = [answer[list(o)] for o in itertools.permutations(range(len(answer)))]
        best.append(max(orders, key=lambda s, r=right: si_sdr(s, r).mean()))
    return np.stack(best)


def score_digits(epochs, rows, tested):
    """Trains with and without images, and tests on the held-out speaker."""
    splits = digits()
    mixture, sounds, images = mix(splits["test"], tested, 0)
    result = {"seed": SEED, "mixtures": epochs * rows, "tested": tested}

    separator, seconds = train_on_digits(splits["train"], True, epochs, rows)
    for name, which in (("with image", 0), ("wrong image", 1)):
        x = {"mixture": mixture, "faces": images[:, which : which + 1, None]}
        waves = separator.predict(x, 50, verbose=0)["speakers"]
        result[name] = score(waves, sounds[:, :1], mixture)
    result["with image"]["CPU seconds"] = seconds

    separator, seconds = train_on_digits(splits["train"], False, epochs, rows)
    waves = separator.predict({"mixture": mixture}, 50, verbose=0)["speakers"]
    both = [score(waves[:, i : i + 1], sounds[:, :1], mixture) for i in range(2)]
    result["without image"] = {k: (both[0][k] + both[1][k]) / 2 for k in both[0]}
    waves = in_best_order(waves, sounds)
    result["without image, best order"] = score(waves[:, :1], sounds[:, :1], mixture)
    result["without image, best order"]["CPU seconds"] = seconds
    for name in ("wrong image", "without image", "without image, best order"):
        gain = result["with image"]["sdr"] - result[name]["sdr"]
        result[f"the image adds, dB of SDR over {name}"] = gain
    return result


def grid_clips():
    """The bytes of each clip, by name."""
    with tarfile.open(pathlib.Path(os.environ["MBM_DATA_DIR"]) / GRID) as tar:
        return {
            name: tar.extractfile(f"grid/{name}.mpg").read() for name in sorted(MOUTHS)
        }


def decode_clip(data, name):
    """Three seconds of sound of a clip, and 75 crops of its mouth."""
    import tensorflow as tf

    from data_pipelines.formats import video
    from data_pipelines.formats.sound import soundtrack
    from mbm_keras.preprocessing import Waveform

    y, x = MOUTHS[name]
    box = ((y - 32) / 288, (x - 32) / 360, (y + 32) / 288, (x + 32) / 360)
    times = (np.arange(NUM_FRAMES) + 0.5) / 25
    wav = tf.constant([soundtrack(data, 10**7)])
    wave = Waveform(RATE, GRID_SECONDS).decode(wav)[0][0].numpy()
    return wave, video.crops(data, times, [box], MOUTH)[0]


def score_grid(epochs):
    """Trains on the four clips in pairs; the separator, and its scores."""
    from data_pipelines.datasets import mixtures

    each = [decode_clip(data, name) for name, data in grid_clips().items()]
    waves, mouths = (np.stack(part) for part in zip(*each, strict=True))

    def epoch_of(epoch, rows=24):
        data = mixtures.mix(waves, rows=rows, faces=mouths, seed=SEED, epoch=epoch)
        x, y = next(data.batch(rows).as_numpy_iterator())
        return x, y["speakers"]

    task = separation(2)
    inputs = specs(GRID_SECONDS, 2, NUM_FRAMES, MOUTH)
    model = build(inputs, task, 6, slice(3), 96, 128)
    separator, seconds = train(model, task, epoch_of, epochs, 4)
    x, sounds = epoch_of(epochs)  # levels and pairs of an epoch that is not in training
    result = {"seed": SEED, "mixtures": epochs * 24, "CPU seconds": seconds}
    for name, faces in (("right", x["faces"]), ("swapped", x["faces"][:, ::-1])):
        inputs = {"mixture": x["mixture"], "faces": faces}
        answers = separator.predict(inputs, 4, verbose=0)["speakers"]
        result[f"mouths {name}"] = score(answers, sounds, x["mixture"])
    return separator, result


def measure_served(separator):
    """How fast the SavedModel is, and how far it is from the Python model."""
    import tensorflow as tf

    from data_pipelines.formats.encode import npy_bytes
    from data_pipelines.formats.encode import wav_bytes
    from mbm_keras.export import save
    from mbm_keras.preprocessing import Faces
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Sounds
    from mbm_keras.preprocessing import Waveform

    features = Features(
        mixture=Waveform(RATE, GRID_SECONDS), faces=Faces(2, NUM_FRAMES, MOUTH)
    )
    (one, other), *_ = itertools.combinations(grid_clips().items(), 2)
    each = [decode_clip(data, name) for name, data in (one, other)]
    mixture = (each[0][0] + each[1][0]) / 2
    mouths = np.stack([mouth for _, mouth in each])
    raw = {
        "mixture": wav_bytes(mixture[:, None], RATE),
        "faces": npy_bytes(mouths.reshape(-1, MOUTH, MOUTH, 3)),
    }
    raw = {name: tf.constant([data]) for name, data in raw.items()}
    x = {"mixture": mixture[None], "faces": mouths[None]}
    expected = separator.predict_on_batch(x)["speakers"]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        save(separator, features, folder, targets={"speakers": Sounds(RATE)})
        model = tf.saved_model.load(folder)
        waves = model.serve(raw)["speakers_waves"].numpy()
        for _ in range(10):
            start = time.perf_counter()
            model.serve(raw)
            seconds.append(time.perf_counter() - start)
    return {
        "seconds of sound per second": GRID_SECONDS / min(seconds),
        "real-time factor": min(seconds) / GRID_SECONDS,
        "largest difference": float(np.abs(waves - expected).max()),
        "largest sample": float(np.abs(expected).max()),
    }


def main():
    """Measures the chosen parts."""
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
        result["digits"] = score_digits(arguments.epochs or epochs, rows, tested)
    if arguments.part in ("all", "grid"):
        separator, result["grid"] = score_grid(2 if arguments.quick else 300)
        result["served"] = measure_served(separator)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
