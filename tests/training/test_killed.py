"""A run that is killed at any step ends with the weights of one that was not."""

import signal
import subprocess
import sys

import numpy as np
import pytest

# Dropout, augmentation, a frozen tower that runs once, Adam, early stopping: all of it
# must continue where it was, also where audio is decoded in Python batch by batch. The
# arguments are folders and the steps after which to kill the process, 0 for never.
SCRIPT = """
import functools, os, signal, sys

import keras
import numpy as np
import polars as pl
import tensorflow as tf

from data_pipelines import Stream, augment, sources
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Features, Label, LogMel, Pixels, WordIds
from mbm_keras.tasks import Classification
from mbm_keras.towers import audio_cnn, image_cnn, text_cnn
from mbm_keras.training import Stage, fit_stages
from tests.helpers import flac_bytes, image_bytes

tf.config.run_functions_eagerly(True)  # tracing steps would take longest
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 40)
rows = sources.open_table(
    pl.DataFrame(
        {
            "text": [f"this is row {i}" for i in range(40)],
            "image": [image_bytes(seed=i) for i in range(40)],
            "voice": [flac_bytes(300 + 200 * label) for label in labels],
            "label": labels,
        }
    ),
    target="label",
)
features = Features(text=WordIds(6), image=Pixels(16), voice=LogMel(8_000, 0.2, 16))
targets = {"label": Label()}
features.adapt({"text": rows.raw("text")})
targets["label"].adapt(rows.targets())
source = Stream(rows, features, targets)
task = Classification(3)
towers = {
    "text": functools.partial(text_cnn.build, kernel_sizes=(1,)),
    "image": functools.partial(image_cnn.build, filters=(4,)),
    "voice": functools.partial(audio_cnn.build, filters=(4,)),
}
batches = functools.partial(
    source.batches, 8, shuffle=True,
    augment={
        "image": augment.pictures(),
        "text": augment.words(0.3),
        "voice": [augment.spectrograms(), augment.noise()],
    },
)

class Killed(keras.callbacks.Callback):
    def __init__(self, kill_at):
        super().__init__()
        self.left = kill_at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

stages = [
    Stage("voice unimodal", 2, 0.01, unimodal="voice"),
    Stage("fusion", 4, 0.01, frozen=("voice_tower",), patience=2),
    Stage("finetune", 4, 0.01, patience=2),
]
for folder, kill_at in zip(sys.argv[1::2], sys.argv[2::2]):
    keras.utils.set_random_seed(0)
    model = late_fusion.build(
        inputs=features.inputs(), task=task, towers=towers, width=8, dropout=0.5
    )
    fit_stages(
        model, stages, batches, source.batches(32), task=task, folder=folder,
        callbacks=[Killed(int(kill_at))], verbose=0,
    )
    np.savez(f"{folder}/end.npz", *model.get_weights())
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_killed_at_random_steps_the_weights_are_the_same_bit_for_bit(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # An epoch is five steps: every process ends at least one. The first one also runs
    # to the end what is not killed, in another folder.
    before = [whole, 0]
    for kill_at in np.random.default_rng(1).integers(6, 16, 2):
        process = run(*before, killed, kill_at)
        assert process.returncode == -signal.SIGKILL, process.stderr[-2_000:]
        before = []
    process = run(killed, 0)
    assert process.returncode == 0, process.stderr[-2_000:]

    one, two = (np.load(folder / "end.npz") for folder in (whole, killed))
    assert len(one.files) == len(two.files) > 10
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name])
