"""Sounds mixed by two or three, the parts kept: what a separator learns from.

    waves      any sounds `(rows, samples)`, as `Waveform` decodes them
    sight      what belongs to each of them, such as the frames of a clip
    groups     who makes them: nobody is mixed with himself

Which sounds meet and how loud they are depends on the seed, the epoch and the row of
the mixture alone.
"""

import numpy as np


def drawn(groups, *, rows, sounds=2, levels=(-2.5, 2.5), seed=0, epoch=0):
    """Which sounds make the mixtures, and how loud they are.

    Args:
        groups: `(sounds there are,)`, who makes each of them.
        rows: Number of mixtures.
        sounds: Sounds in a mixture.
        levels: From and to, in decibels: the level of every sound is drawn evenly.
        seed: Of the draws.
        epoch: Its number; every epoch has mixtures of its own.

    Returns:
        `(rows, sounds)` int64 places, every one of another group; and `(rows, sounds)`
        float32 factors for sounds of equal power.

    Raises:
        ValueError: If there are fewer groups than sounds in a mixture.
    """
    names, of = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < sounds or sounds < 1:
        raise ValueError(
            f"A mixture is made by {sounds} different groups, of which there are "
            f"{len(names)}. Received: sounds={sounds}."
        )
    members = [np.flatnonzero(of == i) for i in range(len(names))]
    places = np.zeros((rows, sounds), np.int64)
    factors = np.zeros((rows, sounds), np.float32)
    for row in range(rows):
        rng = np.random.default_rng((seed, epoch, row))
        for i, group in enumerate(rng.permutation(len(names))[:sounds]):
            places[row, i] = rng.choice(members[group])
        factors[row] = 10 ** (rng.uniform(*levels, sounds) / 20)
    return places, factors


def mix(
    waves,
    *,
    rows,
    sight=None,
    groups=None,
    sounds=2,
    levels=(-2.5, 2.5),
    seed=0,
    epoch=0,
):
    """The mixtures of one epoch.

    Every sound is brought to the same power before its level; a mixture that would go
    beyond full scale is made softer as a whole. So the parts always add up to it.

    Args:
        waves: `(sounds there are, samples)` float32; none is silent.
        rows: Number of mixtures.
        sight: `(sounds there are, ...)`, what belongs to each; None to listen alone.
        groups: `(sounds there are,)`, who makes each; None if everyone is another.
        sounds: Sounds in a mixture.
        levels: From and to, in decibels.
        seed: Of the draws.
        epoch: Its number.

    Returns:
        A `tf.data.Dataset` of `rows` elements `({"mixture": (samples,), "sight":
        (sounds, ...)}, {"speakers": (sounds, samples)})`, float32 sounds.

    Raises:
        ValueError: If a sound is silent or has values that are no numbers, if `sight`
            or `groups` are not as many, or there are too few groups.
    """
    import tensorflow as tf

    waves = np.asarray(waves, "float32")
    groups = np.arange(len(waves)) if groups is None else np.asarray(groups)
    beside = {"groups": groups} | ({} if sight is None else {"sight": sight})
    wrong = {name: len(x) for name, x in beside.items() if len(x) != len(waves)}
    if wrong:
        raise ValueError(f"There are {len(waves)} sounds. Received: {wrong}.")
    power = np.sqrt(np.mean(np.square(waves, dtype="float64"), axis=1))
    useless = np.flatnonzero(~(power > 0) | ~np.isfinite(power))
    if len(useless):
        raise ValueError(
            "A silent sound, or one of values that are no numbers, cannot be brought "
            f"to a level. Leave out the sounds {useless[:10].tolist()}"
            f"{' and others' if len(useless) > 10 else ''}."
        )
    places, factors = drawn(
        groups, rows=rows, sounds=sounds, levels=levels, seed=seed, epoch=epoch
    )
    factors = (0.1 * factors / power[places]).astype("float32")
    held = tf.constant(waves)
    shown = None if sight is None else tf.constant(sight)

    def mixed(places, factors):
        parts = tf.gather(held, places) * factors[:, None]
        loudest = tf.reduce_max(tf.abs(tf.reduce_sum(parts, axis=0)))
        parts /= tf.maximum(loudest, 1.0)
        inputs = {"mixture": tf.reduce_sum(parts, axis=0)}
        if shown is not None:
            inputs["sight"] = tf.gather(shown, places)
        return inputs, {"speakers": parts}

    dataset = tf.data.Dataset.from_tensor_slices((places, factors))
    return dataset.map(mixed, tf.data.AUTOTUNE, deterministic=True)
