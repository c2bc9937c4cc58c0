"""Trains a small model in every process of a group, for `test_distribution`.

    python -m tests.training.together FOLDER COORDINATOR PROCESSES PROCESS [option ...]

Options: `dropout`; `stages`, one of each kind; `pairs`, a contrastive loss too;
`kill=STEP`, then the same training again in `FOLDER/killed`, in whose step process 1
ends by SIGKILL. Process 0 writes weights and histories to `FOLDER/end-PROCESSES.npz`,
and those of the contrastive loss to `pairs-PROCESSES.npz`.

    python -m tests.training.together FOLDER layout|alone 1 0 published

trains a published encoder: with `layout` two copies of it, each divided between two
devices.
"""

import functools
import json
import os
import pathlib
import re
import signal
import sys

import keras
import numpy as np

from data_pipelines.decoding.samples import Samples
from mbm_keras.inputs import InputSpec
from mbm_keras.models import dual_encoder
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Association
from mbm_keras.tasks import Classification
from mbm_keras.towers import image_cnn
from mbm_keras.towers import pretrained
from mbm_keras.towers import vector_mlp
from mbm_keras.training import Stage
from mbm_keras.training import distribution
from mbm_keras.training import fit_stages
from tests.encoders.checkpoints import DATA

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


def rows(number, seed, size=8):
    """Rows of a picture and numbers; each is absent in some."""
    rng = np.random.default_rng(seed)
    present = rng.random(number) < 0.7
    answers = rng.integers(0, 3, number)
    pictures = rng.random((number, size, size, 3)) + answers[:, None, None, None] / 3
    return Samples.from_arrays(
        {
            "photo": pictures.astype("float32") * present[:, None, None, None],
            "numbers": rng.random((number, 4)).astype("float32") + 0.1,
        },
        {"answer": answers},
        present={"photo": present},
    )


INPUTS = [
    InputSpec("photo", "image", {"size": 8}),
    InputSpec("numbers", "vector", {"size": 4}),
]
TOWERS = {
    "photo": functools.partial(image_cnn.build, filters=(4,)),
    "numbers": vector_mlp.build,
}


def stages_of(options):
    """One stage, or one of each kind."""
    if "stages" not in options:
        return [Stage("training", 3, 0.01, average=True)]
    return [
        Stage("photo unimodal", 3, 0.01, unimodal="photo"),
        Stage("fusion", 3, 0.01, frozen=("photo_tower",), patience=2),
        Stage("finetune", 3, 0.01, average=True),
    ]


def fit(folder, options, together, callbacks=()):
    """Trains in one process or in several; returns the model and its histories."""
    task = Classification(3, "answer")
    keras.utils.set_random_seed(0)
    model = late_fusion.build(
        inputs=INPUTS,
        task=task,
        towers=TOWERS,
        width=4,
        dropout=0.3 if "dropout" in options else 0.0,
        pool=True,
    )
    shard = None if together is None else together.shard
    batches = functools.partial(rows(ROWS, 0).batches, shard=shard)
    histories = fit_stages(
        model,
        stages_of(options),
        functools.partial(batches, 8, shuffle=True, seed=1),
        functools.partial(rows(VALID_ROWS, 1).batches, 8, shard=shard),
        task=task,
        callbacks=callbacks,
        folder=folder / "stages",
        verbose=0,
    )
    return model, histories


def fit_pairs(together):
    """Trains embeddings, whose negatives are the other rows of the batch."""
    task = Association(4, "pair")
    keras.utils.set_random_seed(0)
    model = dual_encoder.build(inputs=INPUTS, task=task, towers=TOWERS, width=4)
    data = rows(ROWS, 2)
    numbers = np.stack([np.arange(ROWS), np.arange(ROWS) // 2], axis=1)
    batches = functools.partial(
        data.with_targets({"pair": numbers}).batches,
        8,
        shuffle=True,
        shard=None if together is None else together.shard,
    )
    stage = Stage("pairs", 2, 0.01)
    return model, fit_stages(model, [stage], batches, task=task, verbose=0)


# Columns of what reads the residual stream are on different devices, and rows of what
# writes to it.
LAYOUT = {
    r".*attention\.(query|key|value)/kernel": (None, "model"),
    r".*intermediate\.dense/kernel": (None, "model"),
    r".*output\.dense/kernel": ("model", None),
}


def fit_published(together):
    """Trains all of a published encoder of images, next to numbers."""
    task = Classification(3, "answer")
    keras.utils.set_random_seed(0)
    model = late_fusion.build(
        inputs=[InputSpec("photo", "image", {"size": 16}), INPUTS[1]],
        task=task,
        towers={
            "photo": pretrained.builder(DATA / "vit"),
            "numbers": vector_mlp.build,
        },
        width=4,
        pool=True,
    )
    batches = functools.partial(
        rows(ROWS, 0, size=16).batches,
        8,
        shuffle=True,
        shard=None if together is None else together.shard,
    )
    histories = fit_stages(
        model, [Stage("training", 2, 0.01)], batches, task=task, verbose=0
    )
    return model, histories


def check_layout(model):
    """Raises if a kernel that has a layout is whole on some device."""
    for weight in model.weights:
        if any(re.fullmatch(pattern, weight.path) for pattern in LAYOUT):
            part = weight.value.addressable_shards[0].data.shape
            if np.prod(part) != np.prod(weight.shape) / 2:
                raise ValueError(f"{weight.path}: {part} of {weight.shape}")


def save(path, model, histories):
    """Weights and histories."""
    arrays = {str(i): distribution.to_numpy(w) for i, w in enumerate(model.weights)}
    np.savez(path, histories=json.dumps(histories), **arrays)


def main(folder, coordinator, processes, process, *words):
    """Trains in one of the processes."""
    folder = pathlib.Path(folder)
    options = dict(word.partition("=")[::2] for word in words)
    processes, process = int(processes), int(process)
    end, pairs = (folder / f"{name}-{processes}.npz" for name in ("end", "pairs"))
    if "published" in options:
        if coordinator == "alone":
            save(end, *fit_published(None))
            return
        with distribution.start(layout=LAYOUT, copies=2) as together:
            with together.scope():
                model, histories = fit_published(together)
                check_layout(model)
                save(end, model, histories)
        return
    if coordinator == "alone":
        save(end, *fit(folder, options, None))
        if "pairs" in options:
            save(pairs, *fit_pairs(None))
        return
    coordinator = None if coordinator == "devices" else coordinator
    with distribution.start(coordinator, processes, process) as together:
        with together.scope():
            found = {end: fit(folder, options, together)}
            if "pairs" in options:
                found[pairs] = fit_pairs(together)
            if together.is_first:
                for path, model_and_histories in found.items():
                    save(path, *model_and_histories)
            if "kill" in options:
                kill = [Kill(int(options["kill"]))] if process == 1 else []
                fit(folder / "killed", options, together, kill)


if __name__ == "__main__":
    main(*sys.argv[1:])
