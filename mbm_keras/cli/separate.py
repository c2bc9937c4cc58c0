"""`mbm separate`: a clip to one sound per speaker."""

from typing import Annotated

import typer

from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting


def separate(
    clip: Annotated[str, typer.Argument(help="A clip, or a sound file.")],
    model: Annotated[
        str, typer.Option(help="Folder of a separator that `export.save` wrote.")
    ],
    out: Annotated[str, typer.Option(help="Folder to write.")] = "separated",
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOP,LEFT,BOTTOM,RIGHT",
            help="Where the face or mouth of a speaker is, in [0, 1] of height and "
            "width. Pass it once per speaker. Default: the whole frame, for a model "
            "of one speaker.",
        ),
    ] = None,
    json: options.Json = False,
):
    """Write one WAV per speaker of a clip, and a figure of the spectrograms.

    The command warns about silence, clipping, and video that ends before the audio.
    """
    from mbm_keras import runs

    with reporting(json) as result:
        boxes = [_read_box(text) for text in box or ()]
        summary = runs.separate(clip, model, out, boxes)
        result(summary, lines.separate_lines(summary))


def _read_box(text):
    try:
        top, left, bottom, right = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"Expected --box TOP,LEFT,BOTTOM,RIGHT, four numbers. Received: {text!r}."
        ) from None
    return top, left, bottom, right
