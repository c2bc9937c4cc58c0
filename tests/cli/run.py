"""`mbm` from a test: in this process, or in one of its own."""

import dataclasses
import json
import os
import subprocess
import sys

import typer.testing

MBM = [sys.executable, "-m", "mbm_keras.cli"]


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended, as `subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


def mbm(*arguments, cwd=None):
    """Runs a command in this process, which has imported TensorFlow already."""
    from mbm_keras.cli import app

    before = os.getcwd()
    os.chdir(cwd or before)
    try:
        result = typer.testing.CliRunner().invoke(app, list(map(str, arguments)))
    finally:
        os.chdir(before)
    unexpected = result.exception and not isinstance(result.exception, SystemExit)
    if unexpected:
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def mbm_process(*arguments, cwd=None):
    """Runs a command in a process of its own."""
    return subprocess.run(
        [*MBM, *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def ok(*arguments, cwd=None, run=mbm):
    """The result of a command that must succeed and print nothing else."""
    ended = run(*arguments, "--json", cwd=cwd)
    assert ended.returncode == 0, ended.stderr[-3_000:]
    lines = ended.stdout.strip().splitlines()
    assert len(lines) == 1, ended.stdout  # nothing but the result
    return json.loads(lines[0])
