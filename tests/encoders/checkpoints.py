"""Tiny checkpoints, and what `transformers` gives for them. See `data/README.md`."""

import pathlib

import numpy as np

DATA = pathlib.Path(__file__).parent / "data"
PAIRS = pathlib.Path(__file__).parent / "pairs"
FOLDERS = sorted(path.name for path in DATA.iterdir() if path.is_dir())
_INPUTS = {
    "in_input_ids": ("token_ids", lambda x: x.astype("int32")),
    "in_attention_mask": ("mask", lambda x: x.astype(bool)),
    "in_pixel_values": ("pixels", lambda x: x.transpose(0, 2, 3, 1)),
    "in_samples": ("samples", np.asarray),
    "in_spectrogram": ("spectrogram", np.asarray),
}


def expected(name):
    """Inputs and outputs of a checkpoint, by our names and by those of the library."""
    return read(DATA / name / "expected.npz")


def read(path):
    """Inputs by our names, and outputs by those of the library."""
    arrays = dict(np.load(path))
    inputs = {
        _INPUTS[key][0]: _INPUTS[key][1](value)
        for key, value in arrays.items()
        if key.startswith("in_")
    }
    outputs = {
        key.removeprefix("out_"): value
        for key, value in arrays.items()
        if key.startswith("out_")
    }
    return inputs, outputs
