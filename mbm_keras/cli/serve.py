"""`mbm serve`: a run over HTTP, with a page."""

from typing import Annotated

import typer

from mbm_keras.cli.reporting import reporting


def serve(
    run: Annotated[
        str, typer.Argument(help="Folder of a finished run, or of its SavedModel.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 for other machines too.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port; 0 for any that is free.", min=0, max=65_535)
    ] = 8000,
    name: Annotated[
        str | None, typer.Option(help="Name of the model. Default: of the folder.")
    ] = None,
    max_mb: Annotated[
        float, typer.Option(help="The most megabytes of a request.")
    ] = 32.0,
    max_rows: Annotated[
        int, typer.Option(help="The most rows of a request.", min=1)
    ] = 256,
    max_batch: Annotated[
        int, typer.Option(help="The most rows that the model answers at once.", min=1)
    ] = 64,
    max_wait: Annotated[
        float, typer.Option(help="Milliseconds to wait for more rows.", min=0)
    ] = 2.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds within which a request is answered.")
    ] = 30.0,
):
    """Answer requests over HTTP, and show a page to try the model on."""
    from mbm_keras import runs
    from mbm_keras.serving import Limits

    with reporting(False):
        limits = Limits(
            request_bytes=int(max_mb * 1e6),
            rows=max_rows,
            batch_rows=max_batch,
            batch_wait=max_wait / 1_000,
            seconds=timeout,
        )
        runs.serve(
            run,
            host=host,
            port=port,
            name=name,
            limits=limits,
            ready=lambda address: typer.echo(f"Serving at {address}"),
        )
