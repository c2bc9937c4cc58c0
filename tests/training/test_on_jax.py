"""The same model trains unchanged where JAX is the backend."""

import pytest

from tests.helpers import on_jax

SCRIPT = """
import keras
import numpy as np
import tensorflow as tf
from data_pipelines.datasets import keypad
from mbm_keras import evaluation
from mbm_keras.fusion import FUSIONS
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Features, Label, LogMel, Pixels, WordIds
from mbm_keras.tasks import Classification
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

def batches(split):
    target = lambda y: {"answer": tf.strings.to_number(y["answer"], tf.int32)}
    return raw[split].map(lambda x, y: (features(x), target(y))).batch(16)

train, valid = batches("train"), batches("valid")
model = late_fusion.build(
    inputs=features.inputs(), task=task, width=8, fusion=FUSIONS["film"](8), pool=True
)
stages = [
    Stage("digit unimodal", 1, unimodal="digit"),
    Stage("fusion", 1, frozen=("digit_tower", "tone_tower")),
    Stage("finetune", 2),
]
histories = fit_stages(model, stages, train, valid, task=task, verbose=0)
assert model.jit_compile  # without it, JAX runs operation by operation
first, last = histories["finetune"]["loss"]
assert last < first, (first, last)
table = evaluation.subsets(model, valid, task=task)
assert len(table) == 7
"""


@pytest.mark.slow
def test_trains_on_jax():
    pytest.importorskip("jax")
    on_jax(SCRIPT)
