"""Options, output and child processes of all benchmarks."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time


def options(doc, **more):
    """Parses `--json`, `--quick` and the options of one script.

    Args:
        doc: Docstring of the script; its first line is the help.
        **more: Type, default and help text by name of a further option.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a run of under 5 minutes")
    for name, (kind, default, text) in more.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=text)
    return parser.parse_args()


def show(result, as_json):
    """Prints the result as one JSON object, or one line per figure."""
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        value = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name}: {value}")


def child(arguments, python=sys.executable):
    """Runs a script or a module in a new Python process.

    Args:
        arguments: Arguments for Python.
        python: The interpreter.

    Returns:
        The JSON object that the process printed last, with `wall_seconds` and
        `cpu_seconds` of the process, including its imports.
    """
    before, start = _cpu(), time.time()
    with tempfile.TemporaryFile("w+") as out:
        run = subprocess.run([python, *arguments], stdout=out, text=True)
        out.seek(0)
        printed = out.read()
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {run.returncode}")
    result = json.loads(printed.splitlines()[-1])
    return {
        **result,
        "wall_seconds": round(time.time() - start, 1),
        "cpu_seconds": round(_cpu() - before, 1),
    }


def _cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
