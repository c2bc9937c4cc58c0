"""What every task must do. A new task is tested by being listed."""

import keras
import numpy as np
import pytest

from mbm_keras import inputs
from mbm_keras.preprocessing import targets
from mbm_keras.tasks import TASKS
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import task_for

TRUTH = {
    Classification(3): np.array([0, 1, 1, 2]),
    MultiLabel(2): np.array([[0, 1], [1, 1], [0, 1], [0, 0]], "float32"),
    Regression(mean=5.0, scale=2.0): np.array([1.0, 4.0, 6.0, 9.0], "float32"),
}
every_task = pytest.mark.parametrize("task", TRUTH, ids=lambda task: task.name)


@every_task
def test_fulfills_the_protocol(task):
    assert isinstance(task, Task)
    assert type(task) in TASKS.values()


@every_task
def test_a_model_of_any_name_learns_and_is_measured(task):
    task = type(task)(**{**vars(task), "name": "Größe (m²)"})
    truth = TRUTH[type(task)(**{**vars(task), "name": type(task).name})]
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {task.name: task.head(x)})
    model.compile("adam", {task.name: task.loss()}, metrics={task.name: task.metrics()})
    features = np.zeros((4, 4), "float32")
    figures = model.train_on_batch(features, {task.name: truth}, return_dict=True)
    assert model(features)[task.name].shape == (4, task.size)
    assert all(np.isfinite(value) for value in figures.values())


@every_task
def test_chance_is_the_loss_of_the_best_constant(task):
    truth = TRUTH[task]
    if isinstance(task, Regression):
        constant = np.full((4, 1), truth.mean())
    elif isinstance(task, MultiLabel):
        share = np.clip(truth.mean(axis=0), 1e-6, 1 - 1e-6)
        constant = np.tile(np.log(share / (1 - share)), (4, 1))
    else:
        constant = np.tile(np.log(np.bincount(truth) / len(truth)), (4, 1))
    loss = float(task.loss()(truth, constant.astype("float32")))
    assert abs(task.chance(truth) - loss) < 1e-5


@pytest.mark.parametrize(
    "target, task",
    [
        (targets.Label("ab"), Classification(2, "answer")),
        (targets.Labels("abc"), MultiLabel(3, "answer")),
        (targets.Quantity(2.0, 3.0), Regression("answer", 2.0, 3.0)),
    ],
)
def test_a_target_knows_its_task(target, task):
    assert task_for("answer", target) == task


def test_a_target_without_a_task_is_an_error():
    target = type("Smell", (), {"task": "smelling"})()
    with pytest.raises(ValueError, match="one of .*Received: target='a', task='smel"):
        task_for("a", target)


def test_the_head_of_an_output_has_a_name_of_its_own():
    photo = inputs.InputSpec("photo", "image")
    assert inputs.output_name("Review Text") == "Review_Text"
    assert inputs.output_name("labels") == "labels_output"
    assert inputs.output_name("photo", [photo]) == "photo_output"
    assert inputs.output_name("photo_tower", [photo]) == "photo_tower_output"
