"""Trains a small model in every process of a group, for `test_distribution`.

    python -m tests.training.together FOLDER COORDINATOR PROCESSES PROCESS [option ...]

Options: `dropout`, `stages`, `kill=STEP` (this process, with SIGKILL), `epochs=N`.
Process 0 writes the weights and the history to `FOLDER/end-PROCESSES.npz`.
"""

import functools
import json
import os
import pathlib
import signal
import sys

import keras
import numpy as np

from data_pipelines.decoding.samples import Samples
from mbm_keras.inputs import InputSpec
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.towers import image_cnn
from mbm_keras.towers import vector_mlp
from mbm_keras.training import Stage
from mbm_keras.training import distribution
from mbm_keras.training import fit_stages

ROWS, VALID_ROWS = 29, 11  # neither is a multiple of the batch or of the processes


class Kill(keras.callbacks.Callback):
    """Ends the process in the middle of an epoch."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def rows(number, seed):
    """Rows of a picture and numbers; each is absent in some."""
    rng = np.random.default_rng(seed)
    present = rng.random(number) < 0.7
    answers = rng.integers(0, 3, number)
    pictures = rng.random((number, 8, 8, 3)) + answers[:, None, None, None] / 3
    return Samples.from_arrays(
        {
            "photo": pictures.astype("float32") * present[:, None, None, None],
            "numbers": rng.random((number, 4)).astype("float32") + 0.1,
        },
        {"answer": answers},
        present={"photo": present},
    )


def build(dropout):
    """The model; its batch normalization leaves absent rows out."""
    inputs = [
        InputSpec("photo", "image", {"size": 8}),
        InputSpec("numbers", "vector", {"size": 4}),
    ]
    return late_fusion.build(
        inputs=inputs,
        task=Classification(3, "answer"),
        towers={
            "photo": functools.partial(image_cnn.build, filters=(4,)),
            "numbers": vector_mlp.build,
        },
        width=4,
        dropout=dropout,
        pool=True,
    )


def stages_of(options):
    """One stage, or one of each kind."""
    epochs = int(options.get("epochs", 3))
    if "stages" not in options:
        return [Stage("training", epochs, 0.01, average=True)]
    return [
        Stage("photo unimodal", epochs, 0.01, unimodal="photo"),
        Stage("fusion", epochs, 0.01, frozen=("photo_tower",), patience=2),
        Stage("finetune", epochs, 0.01),
    ]


def fit(folder, options, together):
    """Trains in one process or in several; returns the model."""
    keras.utils.set_random_seed(0)
    shard = None if together is None else together.shard
    model = build(0.3 if "dropout" in options else 0.0)
    kill = [Kill(int(options["kill"]))] if "kill" in options else []
    batches = functools.partial(rows(ROWS, 0).batches, shard=shard)
    histories = fit_stages(
        model,
        stages_of(options),
        functools.partial(batches, 8, shuffle=True, seed=1),
        functools.partial(rows(VALID_ROWS, 1).batches, 8, shard=shard),
        task=Classification(3, "answer"),
        callbacks=kill,
        folder=folder / "stages",
        verbose=0,
    )
    return model, histories


def save(path, model, histories):
    """Weights and histories."""
    arrays = {str(i): distribution.to_numpy(w) for i, w in enumerate(model.weights)}
    np.savez(path, histories=json.dumps(histories), **arrays)


def main(folder, coordinator, processes, process, *words):
    """Trains in one of the processes."""
    folder = pathlib.Path(folder)
    options = dict(word.partition("=")[::2] for word in words)
    processes, process = int(processes), int(process)
    end = folder / f"end-{processes}.npz"
    if coordinator == "alone":
        save(end, *fit(folder, options, None))
        return
    coordinator = None if coordinator == "devices" else coordinator
    with distribution.start(coordinator, processes, process) as together:
        with together.scope():
            model, histories = fit(folder, options, together)
        if together.is_first:
            save(end, model, histories)


if __name__ == "__main__":
    main(*sys.argv[1:])
