"""How a command ends: with its result, or with one line and an exit code."""

import contextlib
import errno
import json
import sys

import typer


@contextlib.contextmanager
def reporting(as_json):
    """Runs the body of a command.

    The body gets a function to call with the result, a dict, and the lines that a
    person reads. Everything printed in between goes to standard error. An error of the
    user's is one line and exit code 2, an interrupt exit code 130.

    Args:
        as_json: True to print the dict as one JSON object, False for the lines.
    """
    out = sys.stdout
    results = []
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda result, lines: results.append((result, lines))
    except KeyboardInterrupt:
        typer.echo("Interrupted. Repeat the command to continue.", err=True)
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _fail(
                "The disk is full. Free some space and repeat the command: it "
                f"continues where it was. ({error})"
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
