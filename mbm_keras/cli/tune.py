"""`mbm tune`: a search for a better plan."""

from typing import Annotated

import typer

from mbm_keras.auto.targets import KINDS
from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def tune(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    target: options.Targets = None,
    out: Annotated[str, typer.Option(help="Folder for the search.")] = "tuned",
    trials: Annotated[int, typer.Option(help="Number of trials.", min=1)] = 50,
    minutes: Annotated[
        float | None, typer.Option(help="The most that all trials may take.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="What is searched, such as fusion,learning_rate. Default: everything; "
            "an unknown name lists all.",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="A column whose values never cross splits.")
    ] = None,
    column: options.Columns = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(KINDS)}. Default: inferred from the target."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 0.05,
    allow_outside: options.AllowOutside = False,
    separator: options.Separator = None,
    encoding: options.Encoding = None,
    decimal: options.Decimal = None,
    missing: options.Missing = None,
    json: options.Json = False,
):
    """Train with many choices of towers, fusion, sizes and rates; keep the best."""
    from mbm_keras import runs

    with reporting(json) as result:
        found = runs.tune(
            table,
            target or None,
            out=out,
            trials=trials,
            minutes=minutes,
            space=options.names(search),
            columns=options.modalities(column),
            group=group,
            task=task,
            seed=seed,
            stream=stream,
            max_broken=max_broken,
            allow_outside=allow_outside,
            separator=separator,
            encoding=encoding,
            decimal=decimal,
            missing=missing,
        )
        result(found, lines.tune_lines(found))
