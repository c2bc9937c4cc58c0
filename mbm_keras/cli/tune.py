"""`mbm tune`: a search for a better plan."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
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
    task: options.Task = None,
    seed: options.Seed = 0,
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 0.05,
    opening: Opening = DEFAULT,
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
            **opening,
        )
        result(found, lines.tune_lines(found))
