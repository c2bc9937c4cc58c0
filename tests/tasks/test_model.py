"""Models that know whether their outputs are logits."""

import keras
import numpy as np
import pytest

from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.model import output_activation
from tests.helpers import assert_same

X = np.random.default_rng(0).standard_normal((8, 4)).astype("float32")


def model_for(task):
    x = keras.Input((4,), name="x")
    return TaskModel(x, {task.name: task.head(x)})


@pytest.mark.parametrize(
    "task, loss",
    [
        (Classification(3), "categorical_crossentropy"),
        (Classification(3), "CategoricalCrossentropy"),
        (Classification(3), keras.losses.SparseCategoricalCrossentropy()),
        (Classification(3), keras.losses.categorical_focal_crossentropy),
        (Classification(3), {"label": "sparse_categorical_crossentropy"}),
        (Classification(3), ["categorical_crossentropy"]),
        (Classification(3), keras.losses.KLDivergence()),
        (MultiLabel(3), "binary_crossentropy"),
        (MultiLabel(3), keras.losses.BinaryFocalCrossentropy()),
    ],
)
def test_refuses_a_loss_that_takes_logits_for_probabilities(task, loss):
    message = f"loss of logits for the output '{task.name}'.*activation=.softmax.*loss="
    with pytest.raises(ValueError, match=message):
        model_for(task).compile("adam", loss)


@pytest.mark.parametrize(
    "task, loss",
    [
        (Classification(3), Classification(3).loss()),
        (Classification(3), keras.losses.CategoricalCrossentropy(from_logits=True)),
        (Classification(3), "categorical_hinge"),
        (Classification(3), lambda y, p: keras.ops.mean(p)),
        (Classification(3), None),
        (Classification(3, activation="softmax"), "categorical_crossentropy"),
        (MultiLabel(3, activation="sigmoid"), "binary_crossentropy"),
        (Regression(), "mse"),
    ],
)
def test_takes_a_loss_that_fits(task, loss):
    model_for(task).compile("adam", loss)


def test_a_compiled_model_is_compiled_when_it_is_loaded(tmp_path):
    model = model_for(Classification(3))
    model.compile("adam", Classification(3).loss(), metrics=["accuracy"])
    y = np.arange(8) % 3
    model.fit(X, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(model(X), loaded(X))
    assert loaded.optimizer.iterations == 1
    assert_same(
        model.evaluate(X, np.arange(8) % 3), loaded.evaluate(X, np.arange(8) % 3)
    )


@pytest.mark.parametrize(
    "task, activation",
    [
        (Classification(3), "linear"),
        (Classification(3, activation="softmax"), "softmax"),
        (MultiLabel(3, activation="sigmoid"), "sigmoid"),
        (Regression(), None),
    ],
)
def test_the_activation_of_an_output(task, activation):
    assert output_activation(model_for(task), task.name) == activation
    x = keras.Input((task.size,))
    model = TaskModel(x, {task.name: task.output(x)})
    assert output_activation(model, task.name) == activation
