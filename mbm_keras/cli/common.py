"""What every command does: options, errors, quiet imports, one JSON object."""

import contextlib
import errno
import json
import os
import sys
import time
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=MODALITY",
        help="What a column holds: text, image, audio, video, points, number, category "
        "or ignore.",
    ),
]
AllowOutside = Annotated[
    bool,
    typer.Option(help="Follow paths that leave the table's folder."),
]
MaxBroken = Annotated[
    float,
    typer.Option(help="Largest share of broken rows with which the work goes on."),
]


Streamed = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Keep what was decoded on disk, or in memory; else by its size.",
    ),
]


@contextlib.contextmanager
def reporting(as_json):
    """Runs a command: what it prints goes to standard error, its result out.

    The body gets a function to call with the result: a dict, and the lines that a
    person reads instead of it. An error of the user's becomes one line and exit code
    2, an interrupt exit code 130.
    """
    out = sys.stdout
    results = []
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda result, lines: results.append((result, lines))
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _fail(
                "The disk is full: free some space and run the same command again, it "
                f"goes on where it was. ({error})"
            )
        _fail(str(error))
    except ValueError as error:
        _fail(str(error))
    for result, lines in results:
        out.write(json.dumps(result) + "\n" if as_json else "\n".join(lines) + "\n")
    out.flush()


def _fail(message):
    typer.echo(f"mbm: {message}", err=True)
    raise typer.Exit(2) from None


def modalities(columns):
    """`["caption=text"]` to `{"caption": "text"}`.

    Raises:
        ValueError: If an item has no `=`.
    """
    for item in columns or ():
        if "=" not in item:
            raise ValueError(f"--column takes NAME=MODALITY. Received: {item!r}.")
    return dict(item.rsplit("=", 1) for item in columns or ())


def load_tensorflow():
    """Imports Keras and TensorFlow without their greetings on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Towers are small and run side by side. To split each of their operations over all
    # cores as well took a sixth more CPU seconds.
    threads = max(1, (os.cpu_count() or 2) // 2)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    sys.stderr.flush()
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        import keras  # noqa: F401
        import tensorflow as tf

        # Its own warnings come with the first operation.
        tf.zeros(()) + 1
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
    import warnings

    # Keras warns that a tf.data dataset is not shuffled by `fit`: ours shuffles.
    warnings.filterwarnings("ignore", message=".*shuffle=True. was passed.*")


def decoded(table, features, targets, cache, stream=None, keep_corrupt=False):
    """Decodes a table into memory, or where it is too large for that into a folder.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        features: Its preprocessors.
        targets: What encodes its targets, by name.
        cache: The folder.
        stream: True for the folder, False for memory, None to go by the size.
        keep_corrupt: As for `data_pipelines.decode`.

    Returns:
        `Samples` or a `Stream` of the good rows, a boolean mask of them, and a list
        of `Broken`.
    """
    import numpy as np

    from data_pipelines import Stream
    from data_pipelines import decode

    if stream is None:
        arrays = [preprocessor.array for preprocessor in features.by_name.values()]
        row = sum(spec.shape.num_elements() * spec.dtype.size for spec in arrays)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        stream = row * len(table.rows) > memory / 4
    if not stream:
        return decode(table, features, targets, keep_corrupt=keep_corrupt)
    kept = Stream(table, features, targets, keep_corrupt=keep_corrupt, cache=cache)
    kept = kept.scan()
    good = np.isin(np.arange(len(table.rows)), kept.rows)
    return kept, good, kept.broken


class Clock:
    """Wall and processor seconds since it was made."""

    def __init__(self):
        self.start = time.time()

    def seconds(self):
        """Wall seconds, and processor seconds of the whole process so far."""
        return {
            "seconds": round(time.time() - self.start, 1),
            "cpu_seconds": round(time.process_time(), 1),
        }


def quarantined(broken, path):
    """Writes the broken rows where there are any, and says so.

    Returns:
        The number of rows set aside.
    """
    from data_pipelines import quarantine

    if broken:
        quarantine.write(path, broken)
        typer.echo(f"{quarantine.count(broken)} rows set aside in {path}", err=True)
    return quarantine.count(broken)
