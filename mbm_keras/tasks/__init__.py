"""Tasks: what a model learns, each a frozen dataclass that fulfills `Task`.

A line `from mbm_keras.tasks.<file> import <Task>` is the registration: a task's name is
that of its file.
"""

import dataclasses
from typing import Any

import mbm_keras.tasks.model as model
import mbm_keras.tasks.task as contract
from mbm_keras.tasks.association import Association
from mbm_keras.tasks.captioning import Captioning
from mbm_keras.tasks.classification import Classification
from mbm_keras.tasks.multi_label import MultiLabel
from mbm_keras.tasks.regression import Regression
from mbm_keras.tasks.separation import Separation
from mbm_keras.tasks.transcription import Transcription
from mbm_keras.tasks.understanding import Understanding

Task = contract.Task
TaskModel = model.TaskModel
TASKS = {
    x.__module__.rpartition(".")[2]: x
    for x in dict(vars()).values()
    if isinstance(x, type)
    and x not in (Task, TaskModel)
    and x.__module__.startswith(__name__)
}


def task_for(name: str, target: Any) -> Task:
    """The task of a target.

    Args:
        name: Name of the target, and of the output.
        target: An adapted target of `mbm_keras.preprocessing`: its `task` is a key of
            `TASKS`, its `task_arguments()` are arguments of that task.

    Returns:
        The task.

    Raises:
        ValueError: If there is no such task.
    """
    if target.task not in TASKS:
        raise ValueError(
            f"Expected a target whose task is one of {sorted(TASKS)}. Received: "
            f"target={name!r}, task={target.task!r}."
        )
    return TASKS[target.task](name=name, **target.task_arguments())


LOSSES = {None: 0.0, "focal": 2.0}  # focus of the loss, by its name


def weighted_task(
    task: Task, truth: Any, *, class_weight: str | None = None, loss: str | None = None
) -> Task:
    """The task with a loss for classes of different frequency.

    Args:
        task: The task.
        truth: Encoded targets of the training rows, `(rows, ...)`.
        class_weight: `"balanced"`, or None for equal weights.
        loss: `"focal"`, or None for cross-entropy.

    Returns:
        The task as it is, where both are None.

    Raises:
        ValueError: If the task has no classes.
    """
    if class_weight is None and loss is None:
        return task
    if not isinstance(task, Classification | MultiLabel):
        raise ValueError(
            "Expected a target of labels, to use class weights or a focal loss. "
            f"Received: target={task.name!r}, task={type(task).__name__}."
        )
    weighted: Any = task if class_weight is None else task.balance(truth)
    return dataclasses.replace(weighted, gamma=LOSSES[loss])
