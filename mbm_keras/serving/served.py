"""A SavedModel that `mbm export` wrote, answering lists of rows."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

BYTES = ("image", "audio", "video", "points", "page")  # modalities of files


@dataclasses.dataclass(frozen=True)
class Field:
    """A raw column that the model reads.

    Args:
        name: The user's name of the column.
        key: Argument of the signature.
        dtype: `"string"` or `"float64"`.
        value: What a value is, in words.
        modality: Modality of the column; `"number"`, `"category"` and `"date"` for the
            cells of a table.
        part: The column, or the table that the cell is in.
    """

    name: str
    key: str
    dtype: str
    value: str
    modality: str
    part: str

    @property
    def is_number(self) -> bool:
        """Whether a value is a number."""
        return self.dtype != "string"

    @property
    def is_bytes(self) -> bool:
        """Whether a value is bytes of a file."""
        return self.modality in BYTES

    @property
    def empty(self) -> Any:
        """The value of an absent part."""
        return float("nan") if self.is_number else b""

    def is_empty(self, value) -> bool:
        """Whether a value is that of an absent part."""
        return value != value or value == b""


class Served:
    """A loaded SavedModel.

    Args:
        folder: Folder that `mbm export` wrote.

    Attributes:
        fields: A `Field` per raw column.
        results: What each result is, by its name, such as `["answer", "price"]`.
        labels: Labels by output, in the order of the probabilities.

    Raises:
        ValueError: If there is no such SavedModel.
    """

    def __init__(self, folder: str | os.PathLike):
        import tensorflow as tf

        self.folder = pathlib.Path(folder)
        self.fields, self.results = _read_signature(self.folder)
        try:
            self._loaded = tf.saved_model.load(str(self.folder))
            self._serve = self._loaded.signatures["serving_default"]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0][:300]
            raise ValueError(f"`{folder}` cannot be loaded: {reason}") from None
        self._tf = tf
        self.labels = {}
        if "labels" in self._loaded.signatures:
            found = self._loaded.signatures["labels"]()
            self.labels = {
                name: [label.decode(errors="replace") for label in labels.numpy()]
                for name, labels in found.items()
            }

    @property
    def parts(self) -> dict[str, list[int]]:
        """Positions of the fields of each part, by its name."""
        parts: dict[str, list[int]] = {}
        for i, field in enumerate(self.fields):
            parts.setdefault(field.part, []).append(i)
        return parts

    def empty_row(self) -> tuple:
        """A row in which every part is absent."""
        return tuple(field.empty for field in self.fields)

    def answer(self, rows: Sequence[tuple]) -> dict[str, Any]:
        """Answers rows.

        Args:
            rows: Values in the order of `fields`: bytes, or floats of a number.

        Returns:
            Arrays `(rows, ...)` by name of the result.
        """
        columns = zip(*rows, strict=True)
        raw = {
            field.key: self._tf.constant(list(values), field.dtype)
            for field, values in zip(self.fields, columns, strict=True)
        }
        return {name: value.numpy() for name, value in self._serve(**raw).items()}


def _read_signature(folder):
    """The fields and the results of an export."""
    file = folder / "assets.extra" / "signature.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        fields = [Field(name, **one) for name, one in content["inputs"].items()]
        return fields, content["results"]
    except OSError:
        message = f"Expected a folder that `mbm export` wrote. Received: `{folder}`."
        raise ValueError(message) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"`{file}` is damaged, or of an earlier version ({error}): repeat "
            "`mbm export`."
        ) from None
