"""Mixtures of several sounds and their parts, for models that separate sounds.

Which sounds are mixed, and their levels, depend on the seed, the epoch and the row of
the mixture alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def choose_sounds(
    groups: np.ndarray,
    *,
    rows: int,
    num_sounds: int = 2,
    levels: tuple[float, float] = (-2.5, 2.5),
    seed: int = 0,
    epoch: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the sounds of each mixture, and their levels.

    Args:
        groups: `(sounds,)`, who makes each sound. No mixture has two of one group.
        rows: Number of mixtures.
        num_sounds: Sounds in a mixture.
        levels: Smallest and largest level, in dB, with uniform distribution.
        seed: Seed of all random choices.
        epoch: Number of the epoch; each epoch has other mixtures.

    Returns:
        `(rows, num_sounds)` int64, the index of each sound; and `(rows, num_sounds)`
        float32 factors, for sounds of equal power.

    Raises:
        ValueError: If there are fewer groups than sounds in a mixture.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    if not 1 <= num_sounds <= len(names):
        raise ValueError(
            "Expected 1 <= num_sounds <= number of groups. Received: "
            f"num_sounds={num_sounds}, {len(names)} groups."
        )
    members = [np.flatnonzero(group_of == i) for i in range(len(names))]
    index = np.zeros((rows, num_sounds), np.int64)
    factors = np.zeros((rows, num_sounds), np.float32)
    for row in range(rows):
        rng = np.random.default_rng((seed, epoch, row))
        for i, group in enumerate(rng.permutation(len(names))[:num_sounds]):
            index[row, i] = rng.choice(members[group])
        factors[row] = 10 ** (rng.uniform(*levels, num_sounds) / 20)
    return index, factors


def mix(
    waves: np.ndarray | Sequence,
    *,
    rows: int,
    faces: np.ndarray | Sequence | None = None,
    groups: np.ndarray | Sequence | None = None,
    num_sounds: int = 2,
    levels: tuple[float, float] = (-2.5, 2.5),
    seed: int = 0,
    epoch: int = 0,
) -> "tf.data.Dataset":
    """The mixtures of one epoch.

    Each sound gets the same power before its level. A mixture that would exceed full
    scale is made softer as a whole, so the parts always add up to it.

    Args:
        waves: `(sounds, samples)` float32, such as `Waveform` decodes; none is silent.
        rows: Number of mixtures.
        faces: `(sounds, ...)`, what is seen with each sound, such as frames of a clip;
            None for mixtures without.
        groups: `(sounds,)`, who makes each sound; None if each is a group of its own.
        num_sounds: Sounds in a mixture.
        levels: Smallest and largest level, in dB.
        seed: Seed of all random choices.
        epoch: Number of the epoch.

    Returns:
        A `tf.data.Dataset` of `rows` elements `({"mixture": (samples,), "faces":
        (num_sounds, ...)}, {"speakers": (num_sounds, samples)})`, float32 sounds.

    Raises:
        ValueError: If a sound is silent or not finite, `faces` or `groups` has another
            length, or there are too few groups.
    """
    import tensorflow as tf

    waves = np.asarray(waves, "float32")
    groups = np.arange(len(waves)) if groups is None else np.asarray(groups)
    power = _check(waves, groups, faces)
    index, factors = choose_sounds(
        groups, rows=rows, num_sounds=num_sounds, levels=levels, seed=seed, epoch=epoch
    )
    factors = (0.1 * factors / power[index]).astype("float32")
    waves = tf.constant(waves)
    faces = None if faces is None else tf.constant(faces)

    def mix_row(index, factors):
        parts = tf.gather(waves, index) * factors[:, None]  # (num_sounds, samples)
        peak = tf.reduce_max(tf.abs(tf.reduce_sum(parts, axis=0)))
        parts /= tf.maximum(peak, 1.0)
        inputs = {"mixture": tf.reduce_sum(parts, axis=0)}
        if faces is not None:
            inputs["faces"] = tf.gather(faces, index)
        return inputs, {"speakers": parts}

    dataset = tf.data.Dataset.from_tensor_slices((index, factors))
    return dataset.map(mix_row, tf.data.AUTOTUNE, deterministic=True)


def _check(waves, groups, faces):
    """Checks the arguments of `mix`, and returns the power of each sound."""
    lengths = {"groups": len(groups)} | ({} if faces is None else {"faces": len(faces)})
    wrong = {name: size for name, size in lengths.items() if size != len(waves)}
    if wrong:
        raise ValueError(
            f"Expected one entry for each of {len(waves)} sounds. Received: {wrong}."
        )
    power = np.sqrt(np.mean(np.square(waves, dtype="float64"), axis=1))
    unusable = np.flatnonzero(~(power > 0) | ~np.isfinite(power))
    if len(unusable):
        raise ValueError(
            "Expected finite sounds that are not silent. Received: waves "
            f"{unusable[:10].tolist()}{' and others' if len(unusable) > 10 else ''}."
        )
    return power
