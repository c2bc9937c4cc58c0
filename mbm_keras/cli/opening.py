"""How a table is opened: five options, which commands take as one, `opening`."""

import functools
import inspect
import types
from collections.abc import Callable
from collections.abc import Mapping
from typing import Annotated
from typing import Any

import typer

from mbm_keras.cli import options


def _options(
    allow_outside: options.AllowOutside = False,
    separator: Annotated[
        str | None,
        typer.Option(
            help="Between the cells of a text file: one character, or tab, comma, "
            "semicolon, bar. Default: found."
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Of a text file: utf-8, utf-16, cp1252 ... Default: found."),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(help="Decimal mark, . or , in numbers. Default: found."),
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MARK",
            help="Text that counts as missing, such as -999. Repeat it per mark; an "
            "empty one is for empty cells alone. Default: NA, null, ? and others, by "
            "column.",
        ),
    ] = None,
):
    """Names, types and defaults are those of arguments in `mbm_keras.runs`."""


_ADDED = inspect.signature(_options).parameters
Opening = Mapping[str, Any]
DEFAULT: Opening = types.MappingProxyType({n: p.default for n, p in _ADDED.items()})


def add_opening(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options, in the place of its parameter `opening`.

    Args:
        command: A function whose parameter `opening` is their values by name.

    Returns:
        What typer makes a command of.
    """

    @functools.wraps(command)
    def run(**values):
        given = {name: values.pop(name) for name in _ADDED}
        command(**values, opening=given)

    signature, parameters = inspect.signature(command), []
    for parameter in signature.parameters.values():
        is_place = parameter.name == "opening"
        parameters += _ADDED.values() if is_place else [parameter]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
