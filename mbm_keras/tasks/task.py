"""What a model learns: one object for builders, `fit_stages` and `evaluate`."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Protocol
from typing import runtime_checkable

import keras


@runtime_checkable
class Task(Protocol):
    """A head, its loss, its metrics and the loss of a constant answer.

    Each task is a frozen dataclass of plain data in a file of its own; losses and
    metrics are made anew by every call, since metrics keep state.

    Attributes:
        name: Name of the output, and of the target.
        size: Number of outputs of the head.
        per_step: Whether the head maps every step of a sequence, as for a text that is
            written word after word, and not one vector per row.

    A task may have one more, `monitor`: the name of the metric that says which epoch is
    best, larger is better, where that is not the loss.
    """

    per_step: ClassVar[bool]

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def head(self, x: Any, name: str | None = None) -> Any:
        """Maps features `(batch, width)` to outputs.

        Args:
            x: Features, `(batch, width)`.
            name: Name of the output; None for the name of the task. Heads of single
                inputs have names of their own.

        Returns:
            `(batch, size)` float32: logits, or numbers.
        """
        ...

    def output(self, x: Any, name: str | None = None) -> Any:
        """Maps what the last layer of a head gives to the unit of the target.

        A model whose fusion takes the place of the head's dense layer calls this one.

        Args:
            x: `(batch, size)` float32: logits, or standardized numbers.
            name: As for `head`.

        Returns:
            `(batch, size)` float32: logits, or numbers.
        """
        ...

    def loss(self) -> keras.losses.Loss:
        """The loss, for `compile`."""
        ...

    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics, for `compile`; the first one is shown in reports."""
        ...

    def chance(self, truth: Any) -> float:
        """The loss of the best constant answer.

        Args:
            truth: Encoded targets, `(rows, ...)`.
        """
        ...

    def feed(
        self, inputs: Mapping[str, Any], targets: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Adds to a batch what a model needs only while it trains.

        Most tasks return both arguments as they are. A model that writes a text reads
        the words of the target that are before the next one: they become an input.
        The model that answers does without, see `models.for_inference`.

        Args:
            inputs: Arrays by name of the input, `(batch, ...)`.
            targets: Arrays by name of the target, `(batch, ...)`.

        Returns:
            Inputs and targets, for `dataset.map(task.feed)`.
        """
        ...


def monitor_of(task: Task) -> str | None:
    """The metric that says which epoch of a task is best; None for the loss."""
    return getattr(task, "monitor", None)


def best_epoch(
    history: Mapping[str, Sequence[float]], monitor: str | None = None
) -> int:
    """The index of the epoch whose weights a stage ends with.

    Args:
        history: Values of each epoch by name, as `fit` returns them.
        monitor: Name of the metric that says which epoch is best; None for the loss.
    """
    name = monitor or "loss"
    values = history.get(f"val_{name}", history[name])
    choose = min if monitor is None else max
    return choose(range(len(values)), key=values.__getitem__)


def check_one_output(task: Task) -> None:
    """Raises for a task with an output per step, for models with one per row.

    Raises:
        ValueError: If the task has more than one output per row.
    """
    if task.per_step:
        raise ValueError(f"Expected a task with one output per row. Received: {task}.")


def check_logits(task: Task) -> None:
    """Raises for a task whose model returns probabilities.

    Raises:
        ValueError: If the outputs have an activation.
    """
    if getattr(task, "activation", None) is not None:
        raise ValueError(
            f"Expected a task of logits, with activation=None. Received: {task}."
        )


def check_activation(task: Any, name: str) -> None:
    """Raises for an activation that does not give the probabilities of a task.

    Args:
        task: A task with an attribute `activation`.
        name: The one that it may have.

    Raises:
        ValueError: If it has another one, or weights of classes or a focus with it,
            whose losses take logits.
    """
    if task.activation not in (None, name):
        raise ValueError(
            f"Expected activation=None or activation={name!r}. Received: "
            f"activation={task.activation!r}."
        )
    if task.activation is not None and (task.class_weights or task.gamma):
        raise ValueError(
            "Expected activation=None with `class_weights` or `gamma`. Received: "
            f"activation={task.activation!r}, class_weights={task.class_weights}, "
            f"gamma={task.gamma}."
        )


def activate(x: Any, activation: str | None, name: str) -> Any:
    """The last layer of an output whose logits another layer gave.

    Args:
        x: Logits, `(batch, size)`.
        activation: Name of an activation; None for the logits as they are.
        name: Name of the layer.

    Returns:
        `(batch, size)` float32.
    """
    if activation is None:
        return keras.layers.Identity(dtype="float32", name=name)(x)
    return keras.layers.Activation(activation, dtype="float32", name=name)(x)
