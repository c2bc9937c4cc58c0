"""Several models as one, which answers with the mean of their answers."""

from collections.abc import Sequence

import keras

from mbm_keras.inputs import input_keys
from mbm_keras.inputs import output_names
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_logits


def average(
    models: Sequence[keras.Model], *, task: Task, name: str = "ensemble"
) -> keras.Model:
    """The mean of the answers of several models, as one model.

    Of labels it is the mean of the logits, that is the normalized geometric mean of the
    probabilities.

    Source: Hansen and Salamon 1990, "Neural Network Ensembles",
    https://doi.org/10.1109/34.58871; one model for each fold as in Krogh and Vedelsby
    1994, "Neural Network Ensembles, Cross Validation, and Active Learning".

    Args:
        models: Functional models with the same inputs, and the output `task.name`.
        task: The task.
        name: Name of the model.

    Returns:
        A functional `keras.Model` with the same inputs and the output `task.name`. Its
        layers are the models, called `member_1`, `member_2` ...; a single model is
        returned as it is.

    Raises:
        ValueError: If the outputs are probabilities.
    """
    check_logits(task)
    first, *others = models
    if not others:
        return first
    inputs = [
        keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in first.inputs
    ]
    answers = []
    for number, model in enumerate(models, 1):
        model.name = f"member_{number}"
        answers.append(model(inputs)[task.name])  # (batch, task.size)
    x = keras.layers.Average(dtype="float32")(answers)
    names = output_names([task.name], input_keys(first))
    output = keras.layers.Identity(dtype="float32", name=names[task.name])
    return TaskModel(inputs, {task.name: output(x)}, name=name)
