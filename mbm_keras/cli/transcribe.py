"""`mbm transcribe`: a recording to a text, subtitles, or words with their times."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def transcribe(
    recording: Annotated[str, typer.Argument(help="A sound file, or a clip.")],
    model: Annotated[
        str, typer.Option(help="Folder of a speech recognizer from `mbm export`.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            help="File to write: .txt, .srt, .vtt, or .json with the time of every "
            "word. Default: print the text."
        ),
    ] = None,
    beams: Annotated[
        int,
        typer.Option(
            help="Texts that a prefix beam follows; 1 for the most probable letter of "
            "every step, which is the fastest.",
            min=1,
        ),
    ] = 16,
    language: Annotated[
        str | None,
        typer.Option(
            help="words, letters or none: what the beam knows of the training texts. "
            "Default: what had the fewest errors in validation."
        ),
    ] = None,
    json: options.Json = False,
):
    """Write what is said in a recording of any length."""
    from mbm_keras import runs

    with reporting(json) as result:
        summary = runs.transcribe(recording, model, out, beams=beams, language=language)
        result(summary, lines.transcribe_lines(summary))
