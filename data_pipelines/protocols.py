"""What the rooms of `data_pipelines` ask of each other and of `mbm_keras`.

A class follows a protocol by having its methods; it inherits nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol
from typing import runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf


class Source(Protocol):
    """A file of `data_pipelines.sources`: where rows come from.

    `load(...)` returns `{split: tf.data.Dataset}` of `({name: raw scalar}, {name:
    target})`. A raw scalar is a UTF-8 string, the bytes of a file, or a float64. An
    absent value is `b""`, or NaN for a number.
    """

    load: Callable[..., dict[str, tf.data.Dataset]]


class Store(Protocol):
    """Where the bytes of a table's files are."""

    def get(self, column: str, cell: Any) -> bytes:
        """Reads the file of one cell.

        Args:
            column: Name of the column.
            cell: What the column has in one row, never None or empty.

        Raises:
            data_pipelines.stores.Unreadable: If the bytes cannot be read, with the
                reason in words.
        """

    def stamp(self, column: str, cell: Any) -> str | None:
        """A string that changes when the bytes of a cell change.

        It is found without reading the file. None where there is no such string.

        Raises:
            data_pipelines.stores.Unreadable: Where `get` raises without reading.
        """


class Preprocessor(Protocol):
    """What turns the raw values of one input into arrays.

    Args:
        modality: What the arrays are: `"text"`, `"image"`, `"audio"`, `"video"`, ...
        raw: Spec of one raw value, `()` string or float64; a dict of specs by column
            for an input that is made from several columns.
        array: Spec of one array.
    """

    modality: str
    raw: tf.TensorSpec | Mapping[str, tf.TensorSpec]
    array: tf.TensorSpec

    def config(self) -> dict[str, Any]:
        """Everything that decides about the arrays, as plain data."""


@runtime_checkable
class LimitsSteps(Protocol):
    """A preprocessor of texts whose arrays have a length: longer texts are cut.

    Args:
        sequence_length: The length; None before it is learned.
    """

    sequence_length: int | None

    def find_cut(self, values: Sequence[Any]) -> np.ndarray:
        """`(batch,)` bool, which of `(batch,)` raw values are longer."""


@runtime_checkable
class LimitsTime(Protocol):
    """A preprocessor of sounds or clips: what comes after some seconds is cut.

    Args:
        seconds: Length in seconds; None for all of a file.
    """

    seconds: float | None


class Features(Protocol):
    """The preprocessors of a model, such as `mbm_keras.preprocessing.Features`.

    A key is the name of an input in graphs and batches. It equals the name of the
    column where that is a plain identifier.

    Args:
        by_key: Preprocessor by key of the input, in order.
    """

    by_key: Mapping[str, Preprocessor]

    def columns(self) -> dict[str, list[str]]:
        """Names of the table's columns by key of the input: one, or several."""

    def decode_input(
        self, key: str, raw: tf.Tensor | Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes the raw values of one input, in a graph.

        Args:
            key: Key of the input.
            raw: `(batch,)` raw values; a dict by column for an input of several.

        Returns:
            `(batch, ...)` arrays, zeros where a value is absent or corrupt; and
            `(batch,)` uint8, the status, see `data_pipelines.decoding.status`.
        """

    def trace_decoder(
        self, key: str, specs: tf.TensorSpec | Mapping[str, tf.TensorSpec]
    ) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        """`decode_input` for one input as a function that is traced once.

        Args:
            key: Key of the input.
            specs: Spec of its `(batch,)` raw values, or the dict of them by column.
        """

    def explain(self, key: str, value: Any) -> str:
        """Says why a raw value of one input is corrupt.

        Args:
            key: Key of the input.
            value: The value; a dict by column for an input of several.

        Returns:
            A line of text; empty for a value that can be decoded.
        """


@runtime_checkable
class ReadsColumns(Protocol):
    """A target that is made of several columns, such as a sentence and its tags.

    Its values are tuples of their cells.

    Attributes:
        columns: Their names, in the order of the tuples.
    """

    @property
    def columns(self) -> Sequence[str]: ...

    def is_empty(self, value: tuple[Any, ...]) -> bool:
        """Whether a row has nothing to learn."""


class Target(Protocol):
    """What a column to learn means, such as `mbm_keras.preprocessing.Label`.

    Attributes:
        task: What a model does to answer; `"regression"` for a number, whose cells are
            read as numbers.
    """

    task: str

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Cells of the target column to numbers.

        Args:
            values: `(rows,)` cells: strings, numbers, booleans, lists of labels, or
                None.

        Returns:
            `(rows, ...)`.
        """

    def known(self, encoded: np.ndarray) -> np.ndarray:
        """`(rows,)` bool: the encoded targets that a model can learn from."""

    def explain(self, value: Any) -> str:
        """Says why a model cannot learn from a cell that is not empty.

        Args:
            value: The cell.

        Returns:
            A line of text, such as "not a number".
        """
