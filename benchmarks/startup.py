"""How fast the command line answers: `mbm --help` and a usage error.

The limit is a Python process that only imports typer. Goal: under a second.
"""

import os
import statistics
import subprocess
import sys
import time

import common

COMMANDS = {
    "help": ["-m", "mbm_keras.cli", "--help"],
    "usage error": ["-m", "mbm_keras.cli", "train", "missing.csv", "--target", "y"],
    "limit": ["-c", "import typer.main"],
}


def main():
    """Runs the commands in turn, and prints medians."""
    arguments = common.options(__doc__)
    spent = {name: [] for name in COMMANDS}
    for _ in range(3 if arguments.quick else 11):
        for name, command in COMMANDS.items():
            wall, before = time.time(), os.times()
            subprocess.run([sys.executable, *command], capture_output=True)
            after = os.times()
            cpu = after.children_user - before.children_user
            cpu += after.children_system - before.children_system
            spent[name].append((time.time() - wall, cpu))
    result = {}
    for name, times in spent.items():
        result[f"{name} wall seconds"] = statistics.median(w for w, _ in times)
        result[f"{name} cpu seconds"] = statistics.median(c for _, c in times)
    result["ratio"] = result["help cpu seconds"] / result["limit cpu seconds"]
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
