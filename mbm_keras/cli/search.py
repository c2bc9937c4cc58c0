"""`mbm search`: the items of an index that match a query best."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def search(
    index: Annotated[str, typer.Argument(help="Folder that `mbm index` wrote.")],
    queries: Annotated[
        list[str],
        typer.Argument(help="A text or the path of a file; several are answered."),
    ],
    k: Annotated[int, typer.Option("-k", help="Items per query.", min=1)] = 10,
    by: Annotated[
        str | None,
        typer.Option(help="Input that the queries are values of. Default: inferred."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="The run, where it is not at the path in the index."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="exact, or faiss if it is installed.")
    ] = "exact",
    page: Annotated[
        str | None, typer.Option(help="An HTML page to write, with the pictures.")
    ] = None,
    json: options.Json = False,
):
    """Search an index with a text, a picture or a sound."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.search(
            index, queries, k=k, by=by, run=run, engine=engine, page=page
        )
        result(summary, lines.search_lines(summary))
