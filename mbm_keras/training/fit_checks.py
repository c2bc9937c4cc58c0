"""What `fit_stages` checks before it trains."""

from collections.abc import Iterable
from collections.abc import Sequence

import keras

from mbm_keras.inputs import towers_of
from mbm_keras.tasks import Task
from mbm_keras.training import distribution
from mbm_keras.training.stages import Stage


def check_devices(model: keras.Model) -> None:
    """Refuses a model of `tf.distribute`, which would train something else or fail.

    Args:
        model: The model.

    Raises:
        ValueError: If it is one, or if a layout of variables is not of this model.
    """
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            "Expected a model of one device on TensorFlow, where `tf.distribute` fails "
            "with inputs of type bool and has other batch statistics. Train over "
            "several devices on JAX: `KERAS_BACKEND=jax`, and `mbm train --devices "
            "all` or `mbm_keras.training.distribution`. Received: "
            f"{type(strategy).__name__} with {strategy.num_replicas_in_sync} replicas."
        )
    together = distribution.current()
    if together is not None:
        together.check_layout(model)


def check_together() -> None:
    """Checks that a training over several devices is within `distribution.start`.

    Raises:
        ValueError: If it is not.
    """
    if distribution.current() is None:
        raise ValueError(
            "Expected training over several devices within "
            "`mbm_keras.training.distribution.start`, which keeps batches equal. "
            "Received: a distribution of `keras.distribution` alone."
        )


def check_output(model: keras.Model, task: Task) -> None:
    """Checks that a model has the output of a task.

    Args:
        model: The model.
        task: The task.

    Raises:
        ValueError: If it has not.
    """
    if task.name not in model.output:
        raise ValueError(
            f"Expected a model with the output {task.name!r} of the task. Received: "
            f"model={model.name!r}, outputs={sorted(model.output)}."
        )


def check_stages(
    model: keras.Model, stages: Sequence[Stage], before: Iterable[str] = ()
) -> None:
    """Checks that stages name layers and inputs of a model, and differ in name.

    Args:
        model: The model.
        stages: The stages.
        before: Names of the stages before them.

    Raises:
        ValueError: If one does not.
    """
    layers = [layer.name for layer in model.layers]
    towers = towers_of(model)
    seen = set(before)
    for stage in stages:
        for field in ("frozen", "adapt", "rates"):
            unknown = sorted(set(getattr(stage, field)) - set(layers))
            if unknown:
                raise ValueError(
                    f"Expected layers of `{model.name}` in `{field}` of stage "
                    f"{stage.name!r}, some of {layers}. Received: {unknown}."
                )
        if stage.unimodal is not None and stage.unimodal not in towers:
            raise ValueError(
                f"Expected an input of `{model.name}` with a tower in `unimodal` of "
                f"stage {stage.name!r}, one of {list(towers)}. "
                f"Received: {stage.unimodal!r}."
            )
        if stage.name in seen:
            raise ValueError(
                "Expected a different name for each stage. "
                f"Received: {stage.name!r} twice."
            )
        seen.add(stage.name)
