"""A batch with every unique value once gives what the plain batch gives."""

import keras
import numpy as np

from data_pipelines import Samples
from mbm_keras.inputs import InputSpec
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from tests.helpers import assert_same

INPUTS = [
    InputSpec("text", "text", dict(vocabulary_size=9)),
    InputSpec("image", "image", dict(size=16)),
]


def samples():
    rng = np.random.default_rng(0)
    return Samples(
        values={
            "text": rng.integers(1, 9, (3, 5)).astype("int32"),
            "image": rng.integers(0, 256, (4, 16, 16, 3)).astype("uint8"),
        },
        places={"text": rng.integers(0, 3, 20), "image": rng.integers(0, 4, 20)},
        status={name: np.zeros(20, "uint8") for name in ("text", "image")},
        targets={"label": np.arange(20) % 3},
        ids=np.arange(20),
    )


def test_same_weights_and_same_answers():
    keras.utils.set_random_seed(0)
    arguments = dict(inputs=INPUTS, task=Classification(3), width=8)
    shared = late_fusion.build(**arguments, unique=True)
    plain = late_fusion.build(**arguments)
    plain.set_weights(shared.get_weights())
    parts = samples().batches(8, unique=True, group_by="image")
    wholes = samples().batches(8, group_by="image")
    for (x, y), (whole, right) in zip(parts, wholes, strict=True):
        assert len(x["image"]) <= 4 and len(x["text"]) <= 3
        assert_same(y["label"], right["label"])
        assert_same(shared(x), plain(whole))


def test_rows_that_share_a_value_follow_each_other_in_another_order_each_epoch():
    made = samples()
    dataset = made.batches(20, group_by="image", shuffle=True)
    orders = []
    for _ in range(3):
        ((x, _),) = list(dataset)
        images = x["image"].numpy().sum(axis=(1, 2, 3)).tolist()
        changes = sum(a != b for a, b in zip(images, images[1:], strict=False))
        assert changes == len(set(images)) - 1 and len(images) == 20
        orders.append(tuple(dict.fromkeys(images)))
    assert len(set(orders)) > 1
