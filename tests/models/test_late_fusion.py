"""late_fusion: any towers, any fusion, any task."""

import functools

import keras
import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from mbm_keras.fusion import FiLMFusion
from mbm_keras.fusion import SumFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import MeanPlaceholder
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Regression
from mbm_keras.towers import encode
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import text_rnn
from mbm_keras.towers import text_transformer
from tests.helpers import assert_same
from tests.helpers import random_inputs

TINY = late_fusion.PRESETS["tiny"].arguments


# They are built once for all fusions.
TOWERS = {
    spec.name: functools.cache(encode.DEFAULTS[spec.modality])
    for spec in TINY["inputs"]
}

SEQUENTIAL = [name for name, fusion in FUSIONS.items() if fusion.takes_sequences]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, pool", [*((n, None) for n in FUSIONS), *((n, True) for n in SEQUENTIAL)]
)
def test_every_fusion_with_every_modality(name, pool):
    fusion = FUSIONS[name](8)
    model = late_fusion.build(**TINY, towers=TOWERS, fusion=fusion, pool=pool)
    assert model(random_inputs(model))["label"].shape == (2, 3)


def test_two_inputs_of_one_modality():
    inputs = [
        InputSpec("question", "text", dict(vocabulary_size=20)),
        InputSpec("caption", "text", dict(vocabulary_size=30)),
    ]
    model = late_fusion.build(inputs=inputs, task=Classification(3), width=8)
    assert [t.name for t in model.inputs] == ["question", "caption", "present"]
    assert model(random_inputs(model))["label"].shape == (2, 3)


@pytest.mark.parametrize("tower", [text_rnn.build, text_transformer.build])
def test_padding_does_not_reach_a_fusion_of_sequences(tower):
    tower = functools.partial(tower)
    model = late_fusion.build(**TINY, towers={"text": tower}, fusion=FiLMFusion(8))
    x = random_inputs(model)
    x["text"] = np.array([[3, 4, 0], [5, 0, 0]])
    padded = np.pad(x["text"], [[0, 0], [0, 4]])
    assert_same(model(x), model({**x, "text": padded}))


def test_a_number_in_its_own_unit():
    task = Regression("price", mean=1_000.0, scale=50.0)
    model = late_fusion.build(**{**TINY, "task": task})
    prices = keras.ops.convert_to_numpy(model(random_inputs(model))["price"])
    assert prices.shape == (2, 1) and (abs(prices - 1_000) < 500).all()


def test_a_dense_layer_over_the_sum_of_two_towers_and_nothing_else():
    model = late_fusion.build(
        inputs=[
            InputSpec("text", "sequence", dict(size=5)),
            InputSpec("image", "image", dict(size=16)),
        ],
        task=Classification(4, activation="softmax"),
        towers={"text": functools.partial(sequence_rnn.build, units=None)},
        fusion=SumFusion(8, project=False),
        width=8,
        hidden_units=0,
        presence=False,
    )
    x = random_inputs(model)
    f1, f2 = (model.get_layer(f"{name}_tower")(x[name]) for name in ("text", "image"))
    kernel, bias = model.get_layer("label").get_weights()
    assert_same(model(x)["label"], keras.ops.softmax((f1 + f2) @ kernel + bias))
    trained = [w for layer in model.layers[-3:] for w in layer.weights]
    assert len(trained) == 2  # of the head


def test_hidden_units_have_the_width_by_default():
    for units, expected in ((None, 8), (5, 5)):
        model = late_fusion.build(**TINY, hidden_units=units)
        assert model.get_layer("hidden").units == expected


def test_without_presence():
    model = late_fusion.build(**TINY, presence=False)
    assert "present" not in [t.name for t in model.inputs]


def test_runs_with_xla():
    model = late_fusion.build(**{**TINY, "inputs": TINY["inputs"][:2]})
    model.compile("sgd", loss="mse", jit_compile=True)
    x = random_inputs(model)
    assert np.isfinite(model.train_on_batch(x, {"label": np.zeros((2, 3))}))


@pytest.mark.parametrize(
    "inputs, towers, message",
    [
        ([], {}, "at least one input"),
        ([InputSpec("a", "text", dict(vocabulary_size=9))] * 2, {}, "a name and a key"),
        (TINY["inputs"], {"photo": None}, r"towers=\['photo'\]"),
        ([InputSpec("a", "smell")], {}, "modality='smell'"),
    ],
)
def test_rejects(inputs, towers, message):
    with pytest.raises(ValueError, match=message):
        late_fusion.build(inputs=inputs, task=Classification(2), towers=towers)


@pytest.mark.parametrize(
    "absence",
    [
        late_fusion.Absence(placeholder=MeanPlaceholder),
        late_fusion.Absence(dropout=0.3),
    ],
    ids=["placeholder", "dropout"],
)
def test_rejects_absence_without_presence(absence):
    with pytest.raises(ValueError, match="Expected presence=True"):
        late_fusion.build(**{**TINY, "presence": False}, absence=absence)
