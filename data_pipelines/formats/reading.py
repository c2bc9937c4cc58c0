"""How the text of a table is read: what is given, and what a look at the file found."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BY_NAME = {**{name: mark for mark, name in SEPARATORS.items()}, r"\t": "\t"}
DECIMALS = (".", ",")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How the text of a table is read.

    What is None is found out from the file.

    Args:
        separator: Between cells, one character.
        encoding: Of the file, as Python names it.
        decimal: `"."` or `","`, in all columns.
        missing: Cells that count as missing, in all columns, in addition to empty ones.
            None for the usual marks, decided by column, see
            `data_pipelines.formats.missing`.
        columns: By name of a column, the `decimal` mark of its numbers, or `values`:
            the usual marks that are values in this column of words.
        compression: Name of the compression of the file.
        notes: What else was found: columns without a name, names that are there twice.
    """

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    missing: tuple[str, ...] | None = None
    columns: Mapping[str, Mapping[str, Any]] | None = None
    compression: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        separator: str | None = None,
        encoding: str | None = None,
        decimal: str | None = None,
        missing: str | Sequence[str] | None = None,
    ) -> Self:
        """A checked reading.

        Args:
            separator: One character, or `tab`, `comma`, `semicolon`, `bar`.
            encoding: As Python names it, such as `"cp1252"`.
            decimal: `"."` or `","`.
            missing: A mark, or several; `""` for empty cells alone.

        Raises:
            ValueError: If one of them is not usable.
        """
        if separator is not None:
            separator = _BY_NAME.get(separator, separator)
            if len(separator) != 1 or not separator.isascii() or separator in '"\r\n.':
                raise ValueError(
                    f"Expected one character that separates cells, or "
                    f"{', '.join(SEPARATORS.values())}. Received: "
                    f"separator={separator!r}."
                )
        if encoding is not None:
            _check_encoding(encoding)
        if decimal is not None and decimal not in DECIMALS:
            raise ValueError(f"Expected '.' or ','. Received: decimal={decimal!r}.")
        if missing is not None:
            marks = [missing] if isinstance(missing, str) else list(missing)
            missing = tuple(mark for mark in marks if mark)
        return cls(
            separator=separator, encoding=encoding, decimal=decimal, missing=missing
        )

    def over(self, earlier: Self | None) -> Self:
        """This reading, and where it leaves something open, an earlier one.

        Args:
            earlier: How another table was read; None for none.
        """
        if earlier is None:
            return self
        names = ("separator", "encoding", "decimal", "missing", "columns")
        chosen = {
            name: getattr(earlier, name)
            for name in names
            if getattr(self, name) is None
        }
        if self.decimal is not None and earlier.columns is not None:
            chosen["columns"] = {
                name: {k: v for k, v in known.items() if k != "decimal"}
                for name, known in earlier.columns.items()
            }
        return dataclasses.replace(self, **chosen)

    def decimal_of(self, name: str) -> str | None:
        """The decimal mark of a column, None where it is to be found out."""
        if self.decimal is not None or self.columns is None:
            return self.decimal
        return self.columns.get(name, {}).get("decimal")

    def values_of(self, name: str) -> tuple[str, ...] | None:
        """Marks that are values in a column, None where it is to be found out."""
        known = (self.columns or {}).get(name, {})
        return tuple(known["values"]) if "values" in known else None

    def to_json(self) -> dict[str, Any]:
        """What another table of the same kind needs, as JSON has it."""
        values = {name: getattr(self, name) for name in _KEPT}
        values = {n: v for n, v in values.items() if v is not None}
        if self.missing is not None:
            values["missing"] = list(self.missing)
        if self.columns is not None:
            values["columns"] = {n: dict(known) for n, known in self.columns.items()}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The reading that `to_json` gave.

        Raises:
            ValueError: If it is something else.
        """
        try:
            kept = {name: values[name] for name in _KEPT if name in values}
            known = {n: dict(v) for n, v in kept.pop("columns", {}).items()}
            for name, how in known.items():
                _check_column(name, how)
            reading = cls.of(**kept)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"Expected how a table is read. Received: {error}"
            ) from None
        return dataclasses.replace(
            reading, columns=known if "columns" in values else None
        )


_KEPT = ("separator", "encoding", "decimal", "missing", "columns")


def _check_column(name, how):
    """Raises a `ValueError` unless this is how a column is read."""
    marks = how.get("values", ())
    if how.get("decimal", ".") not in DECIMALS or not (
        isinstance(marks, (list, tuple)) and all(isinstance(x, str) for x in marks)
    ):
        raise ValueError(f"{how} for the column {name!r}")


def _check_encoding(encoding):
    try:
        known = isinstance("a".encode(encoding), bytes)
    except (LookupError, ValueError, TypeError):
        known = False
    if not known:
        raise ValueError(
            "Expected an encoding of text, such as utf-8, utf-16, cp1252, shift_jis. "
            f"Received: encoding={encoding!r}."
        )
