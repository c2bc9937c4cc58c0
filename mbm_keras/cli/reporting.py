"""How a command ends: with its result, or with one line and an exit code.

0    done
1    an error that was not expected; the traceback is in a file, see `--debug`
2    wrong use, input that cannot be read, a folder that cannot be written, a full
disk
3    another process of the same training ended, see `mbm_keras.training.peers`
130  interrupted by Ctrl-C
143  ended by SIGTERM
"""

import contextlib
import errno
import json
import os
import signal
import sys
import tempfile
import traceback

import typer

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Stopped(BaseException):
    """A signal asked the process to end."""


_stopped_by: list[int] = []  # the signal, once there was one
_AGAIN = 0.5  # seconds after which a signal that was lost is raised again


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
        for result, lines in results:
            out.write(json.dumps(result) + "\n" if as_json else "\n".join(lines) + "\n")
        out.flush()
    except BrokenPipeError:  # the reader of the output has ended, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        raise typer.Exit(128 + signal.SIGPIPE) from None
    except (Exception, KeyboardInterrupt, Stopped) as error:
        _watch(0)
        message, code = describe(error)
        if message is None:
            raise
        typer.echo(message, err=True)
        raise typer.Exit(code) from None


def describe(error):
    """The line and the exit code for an error; None for one that was not expected."""
    if isinstance(error, (KeyboardInterrupt, Stopped)) or _stopped_by:
        number = _stopped_by[0] if _stopped_by else signal.SIGINT
        return "Interrupted. Repeat the command to continue.", 128 + number
    if _is_full(error):
        reason = f" ({error})" if isinstance(error, OSError) else ""
        return (
            "mbm: The disk is full. Free some space and repeat the command: it "
            f"continues where it was.{reason}",
            2,
        )
    if isinstance(error, MemoryError):
        return "mbm: There is not enough memory. `--stream` needs less.", 2
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"mbm: {error.strerror}: `{error.filename}`", 2
    if isinstance(error, (OSError, ValueError)):
        return f"mbm: {error}", 2
    return None, 1


def run(app):
    """Runs the command line, and ends the process.

    Args:
        app: A `typer.Typer`.
    """
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        code = app(arguments, standalone_mode=False)
    except (Exception, Stopped) as error:
        _watch(0)
        code = _end(error, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _end(error, debug):
    """Prints one line about an error; returns the exit code."""
    if hasattr(error, "show"):  # wrong use, as the parser of options reports it
        error.show()
        return error.exit_code
    message, code = describe(error)
    if debug:
        traceback.print_exception(error)
    if message is None:
        message = (
            f"mbm: {type(error).__name__}: {_first_line(error)} This was not expected. "
            f"{_keep_traceback(error)}"
        )
    typer.echo(message, err=True)
    return code


def _keep_traceback(error):
    """Writes the traceback to a file; returns a sentence about it."""
    try:
        file, path = tempfile.mkstemp(prefix="mbm-", suffix=".txt", text=True)
        with open(file, "w", encoding="utf-8", errors="replace") as out:
            traceback.print_exception(error, file=out)
    except OSError:
        return "`mbm --debug ...` shows the traceback."
    return f"The traceback is in `{path}`; `mbm --debug ...` shows it."


def _stop(number, frame):
    """The first signal ends the command in order, a second one at once."""
    if _stopped_by:
        os._exit(128 + number)
    _stopped_by.append(number)
    _watch(_AGAIN)
    raise Stopped


def _watch(seconds):
    """Looks every so many seconds whether the signal was lost; 0 to look no more.

    Python and cffi drop an exception that is raised in a callback of C, as while a
    sound is written, or while an object is deleted.
    """
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, _stop_again)
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


def _stop_again(number, frame):
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    if error is None:  # nothing is being cleaned up: it was lost
        raise Stopped


def _is_full(error):
    # Libraries raise errors of their own, with the words of the system.
    words = [os.strerror(number).lower() for number in _FULL]
    text = str(error).lower()
    return getattr(error, "errno", None) in _FULL or any(w in text for w in words)


def _first_line(error):
    return (str(error).strip().splitlines() or [""])[0][:300]
