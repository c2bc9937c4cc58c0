"""Commands that are killed while they write, and repeated."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [("pack", "1"), ("train", "12", "chain")],
    ids=["pack-at-every-write", "train-at-some-writes"],
)
def test_killed_while_it_writes_the_same_command_ends_with_the_same_files(arguments):
    code = [sys.executable, "-m", "tests.kills", *arguments]
    ended = subprocess.run(code, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2_000:]
