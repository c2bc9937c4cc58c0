"""Balance: rates by modality, blended losses, shares."""

import warnings

import keras
import numpy as np
import pytest

from mbm_keras.fusion import SumFusion
from mbm_keras.models import late_fusion
from mbm_keras.training import ModalityBalance
from mbm_keras.training import blending_weights
from mbm_keras.training import modality_rates
from tests.helpers import numpy
from tests.helpers import random_inputs

PRESET = late_fusion.PRESETS["tiny"].arguments
TINY = {**PRESET, "inputs": PRESET["inputs"][1:]}
TASK = TINY["task"]


def moved(optimizer, rates):
    """How far the weights go in one step, by name of the tower and of the rest."""
    keras.utils.set_random_seed(0)
    model = late_fusion.build(**TINY, dropout=0.0)
    x = random_inputs(model, batch=8)
    optimizer = modality_rates(optimizer, model, rates)
    model.compile(optimizer, {"label": TASK.loss()}, jit_compile=False)
    before = [numpy(w) for w in model.trainable_weights]
    model.train_on_batch(x, {"label": np.arange(8) % 3})
    steps = {}
    for weight, old in zip(model.trainable_weights, before, strict=True):
        for layer in model.layers:
            named = layer.name.endswith("_tower") or layer.name == "hidden"
            if named and any(weight is w for w in layer.weights):
                steps.setdefault(layer.name, []).append(numpy(weight) - old)
    return steps


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.SGD, keras.optimizers.Adam], ids=["sgd", "adam"]
)
def test_a_tower_at_half_the_rate_goes_half_as_far(optimizer):
    plain = moved(optimizer(0.01), {})
    scaled = moved(optimizer(0.01), {"image": 0.5, "audio": 0.0})
    factors = {"image_tower": 0.5, "audio_tower": 0.0}
    assert {"image_tower", "audio_tower", "table_tower", "hidden"} == set(plain)
    for name, steps in plain.items():
        assert max(np.abs(step).max() for step in steps) > 1e-5
        for step, other in zip(steps, scaled[name], strict=True):
            np.testing.assert_allclose(other, factors.get(name, 1.0) * step, atol=1e-6)


def test_rates_of_towers_that_are_not_there_are_refused():
    model = late_fusion.build(**TINY)
    with pytest.raises(ValueError, match=r"\['audio', 'image', 'table'\].*'smell'"):
        modality_rates(keras.optimizers.Adam(), model, {"smell": 0.1})
    with pytest.raises(ValueError, match="'image': -1"):
        modality_rates(keras.optimizers.Adam(), model, {"image": -1})


def test_blending_is_that_of_a_worked_example():
    histories = {
        # Overfits by 0.3 while it gains 0.2, and by 0.7 while it gains 0.1.
        "a": {"loss": [1.0, 0.7, 0.5], "val_loss": [1.0, 0.9, 0.8]},
        "b": {"loss": [1.0, 0.9, 0.2], "val_loss": [1.0, 0.5, 0.9]},
        # What did not generalise gets nothing.
        "c": {"loss": [1.0, 0.9, 0.8], "val_loss": [1.0, 1.1, 1.2]},
    }
    a, b = 0.2 / 0.3**2, 0.1 / 0.7**2
    weights = blending_weights(histories)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b), "c": 0.0})
    # Between other checkpoints it is another weight: not that of one epoch.
    a, b = 0.1 / 0.2**2, 0.5 / 0.4**2
    weights = blending_weights(histories, 0, 1)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b), "c": 0.0})


@pytest.mark.parametrize(
    "histories, epochs",
    [
        ({"a": {"loss": [1.0, 0.5]}}, (0, -1)),
        ({"a": {"loss": [1.0], "val_loss": [1.0]}}, (0, -1)),
        ({"a": {"loss": [1.0, 0.5], "val_loss": [1.0, 0.9]}}, (1, 0)),
        ({"a": {"loss": [1.0, 0.5], "val_loss": [1.0, 0.9]}}, (0, 5)),
        ({"a": {"loss": [1.0, 0.5], "val_loss": [1.0, 1.9]}}, (0, 1)),
    ],
)
def test_blending_refuses_what_tells_nothing(histories, epochs):
    with pytest.raises(ValueError, match="checkpoints"):
        blending_weights(histories, *epochs)


def table_alone_tells(rows=256):
    """A model and batches whose label is in the table and nowhere else."""
    keras.utils.set_random_seed(0)
    model = late_fusion.build(**TINY, fusion=SumFusion(8), dropout=0.0)
    x = random_inputs(model, batch=rows)
    y = np.random.default_rng(0).integers(0, 3, rows)
    x["table"][:, 0] = y - 1.0
    losses, metrics = {"label": TASK.loss()}, {"label": TASK.metrics()}
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, losses, metrics=metrics, jit_compile=False)
    batches = [
        ({n: a[i : i + 64] for n, a in x.items()}, {"label": y[i : i + 64]})
        for i in range(0, rows, 64)
    ]
    return model, x, {"label": y}, batches


@pytest.mark.slow
def test_shares_show_who_carries_it_and_who_is_lost():
    model, x, y, batches = table_alone_tells()
    balance = ModalityBalance(batches, ["image", "audio", "table"], least=0.1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        history = model.fit(x, y, epochs=12, verbose=0, callbacks=[balance]).history
    assert history["share_table"][-1] > 0.8
    total = sum(history[f"share_{name}"][-1] for name in ("image", "audio", "table"))
    assert total == pytest.approx(1)
    told = [str(w.message) for w in seen if "does without" in str(w.message)]
    assert any("'image'" in text or "'audio'" in text for text in told)
    assert not any("'table'" in text for text in told)
    # The loss it goes by is that of the rows that have something left.
    assert balance._loss(None) == pytest.approx(
        model.evaluate(x, y, verbose=0, return_dict=True)["loss"], rel=1e-3
    )


def test_without_presence_there_is_nothing_to_leave_out():
    model = late_fusion.build(**TINY, presence=False)
    model.compile("sgd", {"label": TASK.loss()}, jit_compile=False)
    x = random_inputs(model)
    with pytest.raises(ValueError, match="presence=True"):
        model.fit(
            x,
            {"label": np.zeros(2)},
            verbose=0,
            callbacks=[ModalityBalance([], ["image", "audio", "table"])],
        )
