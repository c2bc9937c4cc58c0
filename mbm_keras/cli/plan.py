"""`mbm plan`: what `mbm train` would do with a table, and why."""

from typing import Annotated

import typer

from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting


@add_opening
def plan(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    target: options.Targets = None,
    tags: options.Tags = None,
    group: options.Group = None,
    associate: options.Associate = None,
    column: options.Columns = None,
    tower: options.Towers = None,
    tune: options.Tune = None,
    opening: Opening = DEFAULT,
    json: options.Json = False,
):
    """Show what `mbm train` would do with a table, each choice with its reason."""
    from mbm_keras import runs

    with reporting(json) as result:
        planned = runs.plan(
            table,
            target or None,
            tags=tags,
            associate=options.names(associate),
            columns=options.modalities(column),
            group=group,
            towers=options.folders(tower),
            tune=tune,
            **opening,
        )
        result(planned.to_json(), str(planned).splitlines())
