"""The command `mbm`: one file per command, each reads like a notebook.

Nothing heavy is imported here, so that help and usage errors answer at once.
"""

import typer

from mbm_keras.cli.evaluate import evaluate
from mbm_keras.cli.export import export
from mbm_keras.cli.inspect import inspect
from mbm_keras.cli.pack import pack
from mbm_keras.cli.predict import predict
from mbm_keras.cli.quickstart import quickstart
from mbm_keras.cli.separate import separate
from mbm_keras.cli.train import train

app = typer.Typer(
    help="Multimodal models in Keras: from a table of text, pictures, sounds and "
    "numbers to a served model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (quickstart, inspect, train, evaluate, predict, export, pack, separate):
    app.command()(command)


def main():
    """Entry point of the command line."""
    app()
