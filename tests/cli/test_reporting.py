"""How `mbm` ends: one line, an exit code, and nothing that blocks the next try."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from mbm_keras.cli import reporting
from tests.cli.run import MBM

FAULT = """
import sys
from mbm_keras import runs
def plan(*arguments, **options):
    raise {error}
runs.plan = plan
sys.argv = ["mbm", *sys.argv[1:]]
from mbm_keras.cli import main
main()
"""


def run_with_fault(error, *options):
    """`mbm plan` in a process, where something raises an error."""
    code = FAULT.format(error=error)
    command = [sys.executable, "-c", code, "plan", "rows.csv", "--target", "y"]
    return subprocess.run([*command, *options], capture_output=True, text=True)


def test_an_unexpected_error_is_one_line_and_its_traceback_is_in_a_file():
    ended = run_with_fault("TypeError('so\\nand so')")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mbm: TypeError: so ") and "--debug" in line
    (path,) = re.findall(r"is in `(.*?)`", line)
    with open(path, encoding="utf-8") as file:
        assert "in plan" in file.read()
    os.remove(path)


def test_debug_shows_the_traceback():
    ended = run_with_fault("TypeError('so')", "--debug")
    assert ended.returncode == 1 and "Traceback" in ended.stderr
    os.remove(re.findall(r"is in `(.*?)`", ended.stderr)[0])


@pytest.mark.parametrize(
    "error, message, code",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full", 2),
        (RuntimeError("x; No space left on device"), "The disk is full", 2),
        (PermissionError(errno.EACCES, "Permission denied", "run/a"), ": `run/a`", 2),
        (ValueError("Expected a. Received: b."), "mbm: Expected a. Received: b.", 2),
        (MemoryError(), "not enough memory", 2),
        (KeyboardInterrupt(), "Interrupted. Repeat the command", 130),
    ],
)
def test_an_expected_error_is_one_line_and_a_code(error, message, code):
    line, found = reporting.describe(error)
    assert message in line and "\n" not in line and found == code


@pytest.mark.slow
def test_output_that_is_no_longer_read_ends_the_command(tmp_path):
    rows = [f"word {i},{i % 2}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,y", *rows]))
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [*MBM, "plan", tmp_path / "rows.csv", "--target", "y"],
        stdout=write, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(write)
    assert ended.returncode == 141
    assert "mbm:" not in ended.stderr and "Traceback" not in ended.stderr


LOST = """
import os, signal, time, typer
from mbm_keras.cli import reporting
app = typer.Typer()

class Deleted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)

@app.command()
def work():
    with reporting.reporting(False):
        one = Deleted()
        del one
        try:
            time.sleep(600)
        finally:
            time.sleep(1.2)  # longer than it is waited for a signal that was lost
            print("cleaned up")

reporting.run(app)
"""


def test_a_signal_in_a_callback_is_not_lost_and_cleaning_up_is_not_disturbed():
    ended = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-2:] == [
        "cleaned up",
        "Interrupted. Repeat the command to continue.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_any_command_in_one_line(number, tmp_path):
    """Here quickstart, in its first second and while it makes its table."""
    out = tmp_path / "out"
    command = [*MBM, "quickstart", "--out", out, "--rows", "100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "tones").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    *_, last = errors.splitlines()
    assert last == "Interrupted. Repeat the command to continue."
    assert "Traceback" not in errors
    other = subprocess.run(
        [*MBM, "quickstart", "--out", out, "--rows", "200"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert other.returncode == 2 and "other arguments" in other.stderr
