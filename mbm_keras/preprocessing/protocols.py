"""What a preprocessor and a target are.

Any class with these methods works: it inherits from neither. A preprocessor maps raw
values of an input to arrays, in a graph, for training and for serving. A target maps
values of a table to what a model learns, and the outputs of the model back to answers.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import Self
from typing import runtime_checkable

import numpy as np
import tensorflow as tf


@runtime_checkable
class Preprocessor(Protocol):
    """Maps the raw values of one input to arrays.

    It is a `tf.Module`, so that a SavedModel keeps its lookup tables.

    Attributes:
        modality: Chooses the tower: `"text"`, `"image"`, `"audio"`, `"video"`,
            `"points"`, `"table"`, or another word.
        raw: `tf.TensorSpec` of one raw value, a scalar; or, for an input of several
            columns, a dict of them by column.
        array: `tf.TensorSpec` of one array. None before `adapt` where its shape is
            learned.

    It may have an attribute `column`, the raw column of an input with another name, and
    `pads_end`, True if zeros at the end of an array are padding that can be cut.
    """

    modality: str
    raw: tf.TensorSpec | Mapping[str, tf.TensorSpec]
    array: tf.TensorSpec | None

    def decode(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes a batch. It never raises because of a value.

        `mbm_keras.preprocessing.guard.decode_each` does that for a function of one
        value that may raise.

        Args:
            batch: `(batch,)` raw values, or a dict of them by column. Absent values are
                empty strings, or NaN. The batch may be empty.

        Returns:
            Arrays `(batch, ...)`, zeros where a value is absent or cannot be decoded;
            and `(batch,)` bool, which values were decoded.
        """
        ...

    def explain(self, value: Any) -> str:
        """Says why a value cannot be decoded, for reports; not for graphs.

        Args:
            value: One raw value: bytes, or a dict of cells by column.

        Returns:
            A line of text, empty if the value can be decoded.
        """
        ...

    def adapt(self, values: Any) -> None:
        """Learns from raw values of the training split, where there is something to.

        Args:
            values: An array or a list, or a dict of them by column.
        """
        ...

    def sizes(self) -> dict[str, Any]:
        """What a tower of this modality must know, such as `vocabulary_size`."""
        ...

    def config(self) -> dict[str, Any]:
        """What `from_config` needs, as plain data that JSON can hold."""
        ...

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Builds the preprocessor that `config` describes."""
        ...


@runtime_checkable
class KeepsFiles(Protocol):
    """A preprocessor with more than JSON should hold, such as weights.

    Its `from_config` takes a second argument, the folder of the files.
    """

    def save_files(self, folder: Any) -> None:
        """Writes the files into a folder, which is made."""
        ...


@runtime_checkable
class KeepsGoodCells(Protocol):
    """A preprocessor of several columns that decodes a row without its bad cells.

    Such a cell counts as missing. The status of the row is `partial`, unless no cell
    was decoded.
    """

    def find_corrupt(self, batch: Any) -> tf.Tensor:
        """Which rows have a cell that is there and cannot be decoded.

        Args:
            batch: `(batch,)` raw values by column, as for `Preprocessor.decode`.

        Returns:
            `(batch,)` bool.
        """
        ...


@runtime_checkable
class Target(Protocol):
    """Maps values of a table to what a model learns, and outputs to answers.

    Attributes:
        task: Name of the task that learns it, a key of `mbm_keras.tasks.TASKS`.
        output_kind: What the model returns for it: `"logits"` (or numbers), `"ids"` of
            words, `"waves"`, or `"numbers"` of several kinds. A served model returns it
            as `<output>_<output_kind>`.
        labels: The labels in the order of the outputs; empty for a target without.
    """

    task: str
    output_kind: str

    @property
    def labels(self) -> Sequence[str]: ...

    def task_arguments(self) -> dict[str, Any]:
        """Arguments of the task, its name excepted."""
        ...

    def adapt(self, values: Any) -> None:
        """Learns labels or statistics from values of the training split.

        Raises:
            ValueError: If there is nothing to learn.
        """
        ...

    def encode(self, values: Any) -> np.ndarray:
        """Maps values of the table to `(rows, ...)`, what the loss compares with."""
        ...

    def known(self, encoded: np.ndarray) -> np.ndarray:
        """Which of the encoded values a model can learn from, `(rows,)` bool."""
        ...

    def explain(self, value: Any) -> str:
        """Says why a model cannot learn from a value, for reports; not for graphs.

        Args:
            value: One value of the table, which is not empty and not `known`.

        Returns:
            A line of text, such as "not a number".
        """
        ...

    def decode(self, outputs: tf.Tensor, name: str) -> dict[str, tf.Tensor]:
        """Maps outputs of the model to answers, in a graph.

        Args:
            outputs: `(batch, ...)`, what the model returns.
            name: Name of the output.

        Returns:
            The answers under `name`, and what belongs to them under names that begin
            with it, such as `<name>_probabilities`.
        """
        ...

    def restore(self, answers: Any) -> list[Any]:
        """Answers as `decode` returns them, in the type of the table's cells.

        Args:
            answers: `(batch,)`, outside of graphs.

        Returns:
            Strings, numbers, booleans or lists, as the training split had them.
        """
        ...

    def config(self) -> dict[str, Any]:
        """What `from_config` needs, as plain data that JSON can hold."""
        ...

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Builds the target that `config` describes."""
        ...
