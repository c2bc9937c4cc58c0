"""What every benchmark does: its options, its result, its children."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time


def options(doc, **more):
    """The arguments that all scripts take: `--json` and `--quick`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--quick", action="store_true", help="smaller, under 5 minutes")
    for name, (kind, default, text) in more.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=text)
    return parser.parse_args()


def show(result, as_json):
    """Prints the result: one JSON object, or a line per figure."""
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        value = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name}: {value}")


def child(arguments):
    """Runs a command of ours in a fresh Python.

    Returns:
        What it printed as JSON on standard output, with the wall and the processor
        seconds it took, imports included.
    """
    before, start = _cpu(), time.time()
    with tempfile.TemporaryFile("w+") as out:
        run = subprocess.run([sys.executable, *arguments], stdout=out, text=True)
        out.seek(0)
        printed = out.read()
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {run.returncode}")
    result = json.loads(printed.splitlines()[-1])
    return {
        **result,
        "wall_seconds": round(time.time() - start, 1),
        "cpu_seconds": round(_cpu() - before, 1),
    }


def _cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
