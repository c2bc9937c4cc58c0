"""A published or tested size of a model: plain data next to its builder."""

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True)
class Weights:
    """Where the published weights of a preset are.

    Args:
        handle: Local folder or hub handle.
        sha256: Checksum of the file with the weights.
    """

    handle: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Preset:
    """Arguments of a builder, and what is known of the result.

    Args:
        arguments: Keyword arguments of `build`.
        parameters: Number of trainable parameters where one is published; None where
            none is. A comment says by how much and why the model differs from it.
        source: Where the size is published; None for a size of our own.
        weights: Where its weights are, None without any.
    """

    arguments: Mapping[str, Any]
    parameters: int | None = None
    source: str | None = None
    weights: Weights | None = None


def options_from(kind: type[Options], value: Any) -> Options:
    """Options of a builder, which a plan or a file has as plain data.

    Args:
        kind: The dataclass of the options.
        value: An object of it, its fields by name, or None for the defaults.

    Returns:
        An object of the dataclass.

    Raises:
        ValueError: If a field is unknown.
    """
    if not isinstance(value, Mapping):
        return kind() if value is None else value
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if not set(value) <= set(known):
        raise ValueError(
            f"Expected fields of {kind.__name__}: {', '.join(known)}. "
            f"Received: {dict(value)}."
        )
    return kind(**value)
