"""The command `mbm`: options in, one call into `mbm_keras.runs`, lines or JSON out.

Nothing heavy is imported here, so that help and usage errors answer at once. Each
command is a file; what it prints is in `lines.py`.
"""

from typing import Annotated

import typer

from mbm_keras.cli import options
from mbm_keras.cli import reporting
from mbm_keras.cli.evaluate import evaluate
from mbm_keras.cli.export import export
from mbm_keras.cli.index import index
from mbm_keras.cli.inspect import inspect
from mbm_keras.cli.pack import pack
from mbm_keras.cli.plan import plan
from mbm_keras.cli.predict import predict
from mbm_keras.cli.quickstart import quickstart
from mbm_keras.cli.search import search
from mbm_keras.cli.separate import separate
from mbm_keras.cli.serve import serve
from mbm_keras.cli.train import train
from mbm_keras.cli.transcribe import transcribe
from mbm_keras.cli.tune import tune

app = typer.Typer(
    help="Multimodal models in Keras: from a table of text, images, sounds and numbers "
    "to a served model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its narrow columns would cut names
)
_COMMANDS = (
    quickstart,
    inspect,
    plan,
    train,
    tune,
    evaluate,
    predict,
    export,
    serve,
    pack,
    separate,
    transcribe,
    index,
    search,
)
for command in _COMMANDS:
    app.command()(command)


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=options.show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
):
    """Options of `mbm` itself."""


def main():
    """Entry point of the command line."""
    reporting.run(app)
