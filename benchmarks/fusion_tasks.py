"""Three tasks on which fusions are compared, as arrays that a fusion takes.

    dial      two vectors whose information about the label is set by a dial
    keypad    the quickstart: an instruction, a written digit and a key tone
    av_mnist  a written digit and a spoken one, both hard to tell on their own

The last is AV-MNIST's idea, Vielzeuf et al. 2018, "CentralNet: a Multilayer Approach
for Multimodal Fusion", https://arxiv.org/abs/1808.07275, with a recipe of our own: of
the 8x8 digits of scikit-learn the principal components with a quarter of the variance;
the free-spoken-digit-dataset with a sound of ESC-10 as loud as the word; a pair shares
its digit. One speaker and a fifth of the drawings are for testing; of the rest a tenth
of the drawings and of the sounds for validation. Everything is drawn by the seed.
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
SIZE, NOISE = 8, 0.7  # numbers of a vector of the dial; their noise
RATE = 8_000  # hertz
KEPT = 0.25  # of the variance of a digit
SOUND = "free-spoken-digit-dataset-1.0.9.tar.gz"
BACKGROUND = "esc-10.tar.gz"


@dataclasses.dataclass(frozen=True)
class Task:
    """Rows to learn from and rows to be tested on.

    Args:
        train, valid, test: `(inputs by name, label)`, arrays `(rows, ...)`.
        num_classes: Number of labels.
        features: What a model is to know of the inputs; None for vectors.
    """

    train: tuple
    valid: tuple
    test: tuple
    num_classes: int
    features: list


def dial(shares, rows=3_968, seed=0):
    """Two vectors, `left` and `right`, of 8 numbers with noise.

        redundant   a bit that both have
        unique      a bit that only the left one has
        synergy     the exclusive or of a bit of each: neither tells anything alone
        mixed       one of the three, drawn row by row; both see which

    Source of the three kinds: Williams and Beer 2010, "Nonnegative Decomposition of
    Multivariate Information", https://arxiv.org/abs/1004.2515.
    """
    parts = [
        _bits(shares, n, 1_000 * i + seed) for i, n in enumerate((rows, 512, 2_000))
    ]
    from mbm_keras.inputs import InputSpec

    features = [
        InputSpec(side, "table", dict(numbers=SIZE)) for side in ("left", "right")
    ]
    return Task(*parts, 2, features)


def _bits(shares, rows, seed):
    rng = np.random.default_rng(seed)
    # The directions of the bits are those of the task, and not of the draw.
    directions = np.random.default_rng(7).standard_normal((2, 4, SIZE))
    bits = rng.integers(0, 2, (rows, 4))  # redundant, unique, and two for the synergy
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
        # Beside each number a 1: it is there.
        inputs[name] = np.concatenate([values, np.ones_like(values)], 1).astype("f4")
    return inputs, label


def keypad(rows=8_000, seed=0):
    """The table of the quickstart."""
    from data_pipelines.datasets import keypad

    made = list(keypad.examples(rows=rows, seed=seed))
    return _decoded(
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
    """Written and spoken digits, see the top of the file."""
    from sklearn.datasets import load_digits

    from data_pipelines.datasets import keypad

    rng = np.random.default_rng(seed)
    drawn = load_digits()
    pictures = [keypad.png(image) for image in _with_less_energy(drawn.images)]
    order = rng.permutation(len(pictures))
    fifth, tenth = len(order) // 5, len(order) * 3 // 10
    drawings = {
        "test": order[:fifth],
        "valid": order[fifth:tenth],
        "train": order[tenth:],
    }
    spoken = recordings(SOUND, ".wav", lambda name: name.split("_")[:2])
    speakers = sorted({speaker for (_, speaker), _ in spoken})
    held_out = speakers[seed % len(speakers)]
    noises = [wave for _, wave in recordings(BACKGROUND, ".ogg", str)]
    sounds = {"train": [], "valid": [], "test": []}
    for i in rng.permutation(len(spoken)):
        (digit, speaker), wave = spoken[i]
        kept = "valid" if rng.random() < 0.1 else "train"
        split = "test" if speaker == held_out else kept
        sounds[split].append((int(digit), _noisy(wave, noises, rng)))
    pairs = {}
    for split, size in (("train", rows), ("valid", rows // 6), ("test", rows // 4)):
        pairs[split] = []
        for _ in range(size):
            digit, wave = sounds[split][rng.integers(len(sounds[split]))]
            mine = drawings[split][drawn.target[drawings[split]] == digit]
            picture = pictures[rng.choice(mine)]
            pairs[split].append((picture, keypad.wav(wave), digit))
    return _decoded(pairs, ("picture", "speech"), seconds=0.6)


def _with_less_energy(images):
    from sklearn.decomposition import PCA

    flat = images.reshape(len(images), -1)
    kept = PCA(KEPT, svd_solver="full").fit(flat)
    return (
        kept.inverse_transform(kept.transform(flat)).reshape(images.shape).clip(0, 16)
    )


def recordings(archive, ending, label):
    """`(label of the name, samples at RATE)` of every sound of an archive."""
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
                if step != 1:  # a background need not be band-limited
                    wave = wave[np.arange(0, len(wave) - 1, step).astype(int)]
                found.append((label(pathlib.Path(member.name).stem), wave))
    return sorted(found, key=lambda item: str(item[0]))


def _noisy(wave, noises, rng, seconds=0.6):
    """A recording with a piece of background as loud as it is."""
    wave = np.pad(
        wave[: int(seconds * RATE)], (0, max(0, int(seconds * RATE) - len(wave)))
    )
    noise = noises[rng.integers(len(noises))]
    start = rng.integers(len(noise) - len(wave))
    noise = noise[start : start + len(wave)]
    loud = np.sqrt(np.mean(wave**2) / max(np.mean(noise**2), 1e-9))
    mixed = wave + loud * noise
    return mixed / max(1.0, np.abs(mixed).max())


def _decoded(rows, names, seconds):
    """Raw rows by split to arrays, through the preprocessors of the package."""
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
                raise SystemExit(f"{split}: a {name} cannot be decoded")
            inputs[name] = array.numpy()
        parts.append((inputs, np.array([row[-1] for row in part])))
    return Task(*parts, 10, features.inputs())
