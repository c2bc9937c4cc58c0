"""The same model trains unchanged where JAX is the backend."""

import pytest

from tests.helpers import on_jax

SCRIPT = """
import functools
import sys
import keras
import numpy as np
import tensorflow as tf
from data_pipelines.datasets import keypad
from mbm_keras import evaluation
from mbm_keras.fusion import FUSIONS
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Features, Label, LogMel, Pixels, WordIds
from mbm_keras.tasks import Classification
from mbm_keras.towers import audio_cnn, image_cnn, text_cnn
from mbm_keras.training import Stage, fit_stages

assert keras.backend.backend() == "jax"
keras.utils.set_random_seed(0)
raw = keypad.load(rows=80)
features = Features(
    instruction=WordIds(), digit=Pixels(16), tone=LogMel(8_000, 0.25, 16)
)
features.adapt({"instruction": [x["instruction"].numpy() for x, _ in raw["train"]]})
label = Label([str(i) for i in range(10)])
task = Classification(10, "answer")

def batches(split, rows):
    # JAX compiles a step for each size of a batch: all have the same.
    target = lambda y: {"answer": tf.strings.to_number(y["answer"], tf.int32)}
    dataset = raw[split].map(lambda x, y: (features(x), target(y)))
    return dataset.take(rows).batch(8).cache()

train, valid = batches("train", 48), batches("valid", 8)
towers = {
    "instruction": functools.partial(text_cnn.build, kernel_sizes=(1,)),
    "digit": functools.partial(image_cnn.build, filters=(4, 4)),
    "tone": functools.partial(audio_cnn.build, filters=(4,)),
}
model = late_fusion.build(
    inputs=features.inputs(), task=task, towers=towers, width=8,
    fusion=FUSIONS["film"](8), pool=True,
)
stages = [
    Stage("digit unimodal", 1, unimodal="digit"),
    Stage("fusion", 1, frozen=("digit_tower", "tone_tower")),
    Stage("finetune", 4, 0.01, average=True),
]
histories = fit_stages(model, stages, train, valid, task=task, verbose=0)
assert model.jit_compile  # without it, JAX runs operation by operation
first, *_, last = histories["finetune"]["loss"]
assert last < first, (first, last)
table = evaluation.subsets(model, valid, task=task)
assert len(table) == 7
model.evaluate(valid, verbose=0)
model.save(f"{sys.argv[1]}/model.keras")  # with the averages of the optimizer
"""


@pytest.mark.slow
def test_trains_on_jax(tmp_path):
    pytest.importorskip("jax")
    on_jax(SCRIPT, tmp_path)
