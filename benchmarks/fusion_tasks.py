"""Three tasks that compare fusions, as arrays.

    dial      two vectors; a dial sets what they say about the label
    keypad    the quickstart: an instruction, a written digit and a key tone
    av_mnist  a written and a spoken digit, each hard to recognize alone

`av_mnist` follows the idea of AV-MNIST, Vielzeuf et al. 2018, "CentralNet: a Multilayer
Approach for Multimodal Fusion", https://arxiv.org/abs/1808.07275. The recipe differs:
the images are the 8x8 digits of scikit-learn, reduced to the principal components with
a quarter of the variance. The audio is the free-spoken-digit-dataset, mixed with a
sound of ESC-10 that is as loud as the word. Both inputs of a pair have the same digit.
One speaker and a fifth of the images are the test split; a tenth of the other images
and recordings is the validation split. The seed determines all random choices.
"""

import dataclasses
import io
import os
import pathlib
import tarfile

import numpy as np

DIALS = {
    "redundant": (1.0, 0.0, 0.0),
    "unique": (0.0, 1.0, 0.0),
    "synergy": (0.0, 0.0, 1.0),
    "mixed": (1 / 3, 1 / 3, 1 / 3),
}
SIZE, NOISE = 8, 0.7  # numbers of a vector of `dial`; standard deviation of the noise
RATE = 8_000  # hertz
VARIANCE = 0.25  # share of the variance of the digits that remains
SOUND = "free-spoken-digit-dataset-1.0.9.tar.gz"
BACKGROUND = "esc-10.tar.gz"


@dataclasses.dataclass(frozen=True)
class Task:
    """The rows of a task in three splits.

    Args:
        train, valid, test: `(inputs by name, label)`, arrays `(rows, ...)`.
        num_classes: Number of labels.
        inputs: An `InputSpec` per input.
    """

    train: tuple
    valid: tuple
    test: tuple
    num_classes: int
    inputs: list


def dial(shares, rows=3_968, seed=0):
    """Two vectors, `left` and `right`, of 8 numbers with noise.

    `shares` are the shares of rows whose label is redundant, unique and synergistic:

        redundant   a bit that both vectors have
        unique      a bit that only the left vector has
        synergy     the exclusive or of one bit of each; one alone has no information
        mixed       one of the three, chosen per row; both vectors say which

    Source of the three kinds: Williams and Beer 2010, "Nonnegative Decomposition of
    Multivariate Information", https://arxiv.org/abs/1004.2515.
    """
    parts = [
        _bits(shares, n, 1_000 * i + seed) for i, n in enumerate((rows, 512, 2_000))
    ]
    from mbm_keras.inputs import InputSpec

    specs = [InputSpec(side, "table", dict(numbers=SIZE)) for side in ("left", "right")]
    return Task(*parts, 2, specs)


def _bits(shares, rows, seed):
    rng = np.random.default_rng(seed)
    # The directions of the bits belong to the task; they do not depend on the seed.
    directions = np.random.default_rng(7).standard_normal((2, 4, SIZE))
    bits = rng.integers(0, 2, (rows, 4))  # redundant, unique, and two for synergy
    kind = rng.choice(3, rows, p=shares)
    label = np.choose(kind, [bits[:, 0], bits[:, 1], bits[:, 2] ^ bits[:, 3]])
    signs = 2 * bits - 1
    shown = {
        "left": np.stack([signs[:, 0], signs[:, 1], signs[:, 2], kind - 1], axis=1),
        "right": np.stack([signs[:, 0], 0 * kind, signs[:, 3], kind - 1], axis=1),
    }
    inputs = {}
    for side, name in enumerate(shown):
        values = shown[name] @ directions[side]
        values += NOISE * rng.standard_normal(values.shape)
        # A 1 for each number says that it is present, see `table_mlp`.
        inputs[name] = np.concatenate([values, np.ones_like(values)], 1).astype("f4")
    return inputs, label


def keypad(rows=8_000, seed=0):
    """The table of the quickstart."""
    from data_pipelines.datasets import keypad

    made = list(keypad.examples(rows=rows, seed=seed))
    return _decode(
        {
            split: [
                (e["instruction"], e["digit"], e["tone"], int(e["answer"]))
                for e in made
                if e["split"] == split
            ]
            for split in ("train", "valid", "test")
        },
        ("instruction", "digit", "tone"),
        seconds=0.25,
    )


def av_mnist(rows=6_000, seed=0):
    """Written and spoken digits, see the docstring of the module."""
    from sklearn.datasets import load_digits

    from data_pipelines.datasets import keypad

    rng = np.random.default_rng(seed)
    drawn = load_digits()
    pictures = [keypad.png(image) for image in _with_less_energy(drawn.images)]
    order = rng.permutation(len(pictures))
    first, second = len(order) // 5, len(order) * 3 // 10
    drawings = {
        "test": order[:first],
        "valid": order[first:second],
        "train": order[second:],
    }
    spoken = recordings(SOUND, ".wav", lambda name: name.split("_")[:2])
    speakers = sorted({speaker for (_, speaker), _ in spoken})
    held_out = speakers[seed % len(speakers)]
    noises = [wave for _, wave in recordings(BACKGROUND, ".ogg", str)]
    sounds = {"train": [], "valid": [], "test": []}
    for i in rng.permutation(len(spoken)):
        (digit, speaker), wave = spoken[i]
        other = "valid" if rng.random() < 0.1 else "train"
        split = "test" if speaker == held_out else other
        sounds[split].append((int(digit), _noisy(wave, noises, rng)))
    pairs = {}
    for split, size in (("train", rows), ("valid", rows // 6), ("test", rows // 4)):
        pairs[split] = []
        for _ in range(size):
            digit, wave = sounds[split][rng.integers(len(sounds[split]))]
            same = drawings[split][drawn.target[drawings[split]] == digit]
            picture = pictures[rng.choice(same)]
            pairs[split].append((picture, keypad.wav(wave), digit))
    return _decode(pairs, ("picture", "speech"), seconds=0.6)


def _with_less_energy(images):
    from sklearn.decomposition import PCA

    flat = images.reshape(len(images), -1)
    pca = PCA(VARIANCE, svd_solver="full").fit(flat)
    return pca.inverse_transform(pca.transform(flat)).reshape(images.shape).clip(0, 16)


def recordings(archive, ending, label):
    """`(label, samples at RATE)` of every recording of an archive.

    Args:
        archive: Name of a tar file in `$MBM_DATA_DIR`.
        ending: Suffix of the files to read.
        label: Function of a file name without its suffix.

    Returns:
        A list, sorted by label.
    """
    import soundfile

    folder = os.environ.get("MBM_DATA_DIR")
    if not folder or not (pathlib.Path(folder) / archive).exists():
        raise SystemExit(f"Set MBM_DATA_DIR to the folder that holds {archive}.")
    found = []
    with tarfile.open(pathlib.Path(folder) / archive) as tar:
        for member in tar:
            if member.name.endswith(ending):
                data = io.BytesIO(tar.extractfile(member).read())
                wave, rate = soundfile.read(data, dtype="float32", always_2d=True)
                wave = wave.mean(axis=1)
                step = rate / RATE
                if step != 1:  # background noise only: aliases do no harm
                    wave = wave[np.arange(0, len(wave) - 1, step).astype(int)]
                found.append((label(pathlib.Path(member.name).stem), wave))
    return sorted(found, key=lambda item: str(item[0]))


def _noisy(wave, noises, rng, seconds=0.6):
    """Adds a random piece of background noise that is as loud as the recording."""
    wave = np.pad(
        wave[: int(seconds * RATE)], (0, max(0, int(seconds * RATE) - len(wave)))
    )
    noise = noises[rng.integers(len(noises))]
    start = rng.integers(len(noise) - len(wave))
    noise = noise[start : start + len(wave)]
    loud = np.sqrt(np.mean(wave**2) / max(np.mean(noise**2), 1e-9))
    mixed = wave + loud * noise
    return mixed / max(1.0, np.abs(mixed).max())


def _decode(rows, names, seconds):
    """Converts the raw rows of each split to arrays with the preprocessors."""
    import tensorflow as tf

    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import WordIds

    sound = LogMel(RATE, seconds, num_mel_bins=32)
    kinds = dict(
        instruction=WordIds(),
        digit=Pixels(16),
        picture=Pixels(16),
        tone=sound,
        speech=sound,
    )
    features = Features(**{name: kinds[name] for name in names})
    raw = {
        split: dict(
            zip(names, zip(*(row[:-1] for row in part), strict=True), strict=True)
        )
        for split, part in rows.items()
    }
    features.adapt({n: raw["train"][n] for n in names if n == "instruction"})
    parts = []
    for split, part in rows.items():
        inputs = {}
        for name in names:
            array, status = features.decode_input(name, tf.constant(raw[split][name]))
            if status.numpy().any():
                raise SystemExit(f"{split}: a value of {name} cannot be decoded")
            inputs[name] = array.numpy()
        parts.append((inputs, np.array([row[-1] for row in part])))
    return Task(*parts, 10, features.inputs())
