"""`mbm` in a process of its own."""

import json
import subprocess
import sys

MBM = [sys.executable, "-m", "mbm_keras.cli"]


def mbm(*arguments, cwd=None):
    return subprocess.run(
        [*MBM, *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def ok(*arguments, cwd=None):
    run = mbm(*arguments, "--json", cwd=cwd)
    assert run.returncode == 0, run.stderr[-3_000:]
    lines = run.stdout.strip().splitlines()
    assert len(lines) == 1, run.stdout  # nothing but the result
    return json.loads(lines[0])
