"""A run that is killed at any step ends with the weights of one that was not."""

import signal
import subprocess
import sys

import numpy as np
import pytest

# Dropout, augmentation, a frozen tower that is run once, Adam, early stopping: all of
# it must go on where it was. Killed at the steps it is given, one in each process.
SCRIPT = """
import functools, os, signal, sys

import keras
import numpy as np

from data_pipelines import augment
from data_pipelines.samples import Samples
from mbm_keras.models import late_fusion
from mbm_keras.tasks import classification
from mbm_keras.training import Stage, fit_stages

folder, kill_at = sys.argv[1], int(sys.argv[2])
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
n = 40
labels = rng.integers(0, 3, n)
pictures = rng.integers(0, 99, (n, 16, 16, 3)) + 50 * labels[:, None, None, None]
values = {
    "text": rng.integers(1, 20, (n, 5)).astype("int32"),
    "image": pictures.astype("uint8"),
}
samples = Samples.of(values, {"label": labels})
features = late_fusion.PRESETS["tiny"]["features"][:2]
model = late_fusion.build(features=features, num_outputs=3, width=8, dropout=0.5)
batches = functools.partial(
    samples.batches, 8, shuffle=True,
    augment={"image": augment.pictures(), "text": augment.words(0.3)},
)

class Killed(keras.callbacks.Callback):
    left = kill_at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

stages = [
    Stage("image alone", 2, 0.01, alone="image"),
    Stage("fused", 4, 0.01, frozen=("image_tower",), patience=2),
    Stage("tuned", 4, 0.01, patience=2),
]
fit_stages(
    model, stages, batches, samples.batches(32),
    losses=classification.losses(), metrics=classification.metrics(),
    head=lambda x: classification.head(x, 3), folder=folder, callbacks=[Killed()],
    verbose=0,
)
np.savez(f"{folder}/end.npz", *model.get_weights())
"""


def run(folder, kill_at=0):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(kill_at)],
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_killed_at_random_steps_the_weights_are_the_same_bit_for_bit(tmp_path):
    unbroken = run(tmp_path / "unbroken")
    assert unbroken.returncode == 0, unbroken.stderr[-2_000:]

    # An epoch is five steps: of every process at least one comes to its end.
    for kill_at in np.random.default_rng(1).integers(6, 16, 3):
        killed = run(tmp_path / "killed", kill_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2_000:]
    finished = run(tmp_path / "killed")
    assert finished.returncode == 0, finished.stderr[-2_000:]

    one, two = (np.load(tmp_path / name / "end.npz") for name in ("unbroken", "killed"))
    assert len(one.files) == len(two.files) > 10
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name])
