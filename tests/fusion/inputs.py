"""Inputs and built layers for the tests of fusions."""

import functools

import keras
import numpy as np

from mbm_keras.fusion import FUSIONS

WIDTHS = (4, 6, 5)
UNITS = 8  # a multiple of four heads
HALF = np.array([[True, False, True], [True, True, True], [False, True, False]])
SUBSETS = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(1, 8)], bool)
OF_SEQUENCES = [name for name in FUSIONS if FUSIONS[name].takes_sequences]
OF_EMBEDDINGS = [name for name in FUSIONS if not FUSIONS[name].takes_sequences]


def embeddings(*widths, batch=3, seed=0):
    """Random embeddings, one for each width; `WIDTHS` by default."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((batch, w)).astype("float32") for w in widths or WIDTHS]


def sequences(batch=4, seed=0):
    """A sequence, an embedding and a sequence, and their masks."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal(s) for s in ((batch, 5, 4), (batch, 6), (batch, 3, 5))]
    masks = [np.ones((batch, 5), bool), None, np.ones((batch, 3), bool)]
    masks[0][:, 3:] = masks[2][1:, 2:] = False
    return [a.astype("float32") for a in x], masks


def replace_absent(x, present, value=np.nan):
    """The inputs with other content where they are absent."""
    return [
        np.where(present[:, i].reshape(-1, *[1] * (a.ndim - 1)), a, np.float32(value))
        for i, a in enumerate(x)
    ]


def new(name, units=UNITS, **arguments):
    """A fusion with the same initial weights every time."""
    keras.utils.set_random_seed(0)
    return FUSIONS[name](units, **arguments)


@functools.cache
def shared(name):
    """A fusion that is built once, for tests that do not change it."""
    fusion = new(name)
    fusion(embeddings())
    return fusion


@functools.cache
def shared_of_sequences(name):
    """A fusion of sequences that is built once, for tests that do not change it."""
    fusion = new(name)
    fusion(sequences()[0])
    return fusion
