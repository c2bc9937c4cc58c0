"""Mutated and hostile files of every kind: no crash, no hang, no row lost.

Images, audio, clips and points go through the preprocessors and through a SavedModel of
them, tables and shards through their sources and stores, in processes of their own.
Half of the files are intact ones with changed bytes; where there is a generator
(`GENERATORS`), the other half is built with valid headers and hostile middles. The
benchmark counts processes that crash or hang (the file is kept), rows that are lost
without a report, and files for which pipeline and SavedModel disagree; and it measures
the longest time and the most memory. Goals: 100,000 files, 50,000 of them images and
WAV, zero of each, 5 seconds.
"""

import collections
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

import common
import fuzz_images
import fuzz_sounds
import numpy as np
from fuzz_decoders import Decoders
from fuzz_seeds import IMAGES
from fuzz_seeds import mutate
from fuzz_seeds import read_seeds
from fuzz_seeds import write_seeds

GENERATORS = {**fuzz_images.GENERATORS, **fuzz_sounds.GENERATORS}
# By kind: number of files in a full run, and in one process.
KINDS = {
    **{kind: (9_000, 1_500) for kind in IMAGES},
    **{kind: (9_000, 1_500) for kind in ("WAV", "FLAC", "OGG", "MP3")},
    **{kind: (2_000, 1_000) for kind in fuzz_sounds.OTHERS},
    **{
        kind: (3_000, 1_000)
        for kind in ("MP4", "AVI", "MATROSKA", "MPEG", "SOUNDTRACK")
    },
    "PCD": (9_000, 1_500),
    **{kind: (3_000, 1_000) for kind in ("csv", "jsonl", "parquet")},
    **{kind: (4_000, 1_000) for kind in ("tar", "tfrecord", "array_record")},
}
SECONDS = 600  # limit for one process, which takes a tenth of that
BATCH = 50  # files decoded at once
SLOW = 1.0  # seconds of a batch from which each of its files is measured


def file_of(kind, number, seeds):
    """One file: its number decides everything. Returns the name of its seed too."""
    rng = random.Random(f"{kind} {number}")
    name = rng.choice(sorted(seeds))
    if kind in GENERATORS and number % 2:
        return name, GENERATORS[kind](rng)
    return name, mutate(seeds[name], rng)


def child(kind, first, count, folder, one_by_one):
    """Reads `count` mutated files; prints how many were read, rejected and lost."""
    import faulthandler

    faulthandler.enable()
    seeds = read_seeds(folder)
    mutated = [file_of(kind, n, seeds) for n in range(first, first + count)]
    if kind.isupper():
        print(json.dumps(_values(kind, mutated, 1 if one_by_one else BATCH)))
    else:
        print(json.dumps(_tables(seeds, mutated)))


def _values(kind, mutated, batch):
    decoders = Decoders(kind)
    seen = collections.Counter()
    slowest = 0.0
    decoders.read([b""] * BATCH)
    decoders.read([data for _, data in mutated[:4]])
    before = _memory()
    for start in range(0, len(mutated), batch):
        raw = [data for _, data in mutated[start : start + batch]]
        began = time.time()
        states, wrong, differ = decoders.read(raw)
        took = time.time() - began
        if took > SLOW:
            took = max(_time(decoders, data) for data in raw)
        slowest = max(slowest, took)
        for state in states:
            seen[("read", "absent", "rejected")[state]] += 1
        seen["wrong"] += wrong
        seen["differ"] += differ
        (bad,) = np.nonzero(states == 2)
        if len(bad) and not decoders.explains(raw[bad[0]]):
            seen["wrong"] += 1
    memory = (_memory() - before) / 1e6  # gigabytes
    return {**seen, "slowest": slowest, "memory": memory}


def _time(decoders, data):
    start = time.time()
    decoders.read([data])
    return time.time() - start


def _memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _tables(seeds, mutated):
    from data_pipelines import sources

    seen = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in mutated:
            for path, whole in seeds.items():
                path = pathlib.Path(folder) / path
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data if path.relative_to(folder) == name else whole)
            where = pathlib.Path(folder) / ("shards" if len(seeds) > 1 else name)
            try:
                table = sources.open_table(where)
            except ValueError:
                seen["rejected"] += 1
                continue
            except Exception as error:  # noqa: BLE001 - any other error counts as wrong
                seen["wrong"] += 1
                print(name, type(error).__name__, error, file=sys.stderr)
                continue
            seen["read"] += 1
            reported = {item.row for item in table.broken}
            if len(table.rows) + len(reported) != table.rows_read:
                seen["wrong"] += 1
            for column in table.columns_of("image"):
                values, reasons = table.read_cells(column, table.raw(column))
                for row, value in enumerate(values):
                    cell = table.raw(column)[row]
                    if not value and row not in reasons and cell is not None:
                        seen["wrong"] += 1
    return dict(seen)


def main():
    """Runs the child processes, and adds up their counts."""
    if sys.argv[1:2] == ["child"]:
        kind, first, count, folder, one_by_one = sys.argv[2:]
        return child(kind, int(first), int(count), folder, one_by_one == "1")
    arguments = common.options(
        __doc__,
        kinds=(str, None, "kinds separated by commas; default: all"),
        keep=(str, "fuzz-crashes", "folder for files that end a process"),
    )
    wanted = arguments.kinds.split(",") if arguments.kinds else list(KINDS)
    by_kind, start = {}, time.time()
    for kind in wanted:
        whole, at_once = KINDS[kind]
        count = at_once // 5 if arguments.quick else whole
        by_kind[kind] = totals = collections.Counter()
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "seeds")
            os.mkdir(folder)
            write_seeds(kind, folder)
            for first in range(0, count, at_once):
                _add(totals, _run(kind, first, min(count, at_once), folder, arguments))
        print(kind, dict(totals), file=sys.stderr, flush=True)
    result = {kind: dict(totals) for kind, totals in by_kind.items()}
    totals = collections.Counter()
    for counts in by_kind.values():
        _add(totals, counts)
    result |= {
        "files": sum(totals[name] for name in ("read", "absent", "rejected")),
        "read": totals["read"],
        "rejected with a reason": totals["rejected"],
        "empty, treated as absent": totals["absent"],
        "wrong: lost, not finite, or another kind of error": totals["wrong"],
        "pipeline and SavedModel differ": totals["differ"],
        "crashes": totals["crashes"],
        "hangs": totals["hangs"],
        "slowest file, seconds": totals["slowest"],
        "most memory of a process, GB": totals["memory"],
        "seconds": round(time.time() - start),
    }
    common.show(result, arguments.json)


def _add(totals, counts):
    """Adds counts; of times and memory the largest stays."""
    for name, value in counts.items():
        largest = name in ("slowest", "memory")
        totals[name] = max(totals[name], value) if largest else totals[name] + value


def _run(kind, first, count, folder, arguments):
    """Counts of one process. If it dies, its files are read again, a few at a time."""
    one_by_one = count <= BATCH
    command = [sys.executable, __file__, "child", kind, str(first), str(count), folder]
    command.append("1" if one_by_one else "0")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        run = subprocess.run(
            command, stdout=-1, stderr=-1, timeout=SECONDS, text=True, env=quiet
        )
    except subprocess.TimeoutExpired:
        run = None
    if run is not None and not run.returncode:
        return json.loads(run.stdout.splitlines()[-1])
    if count == 1:
        keep = pathlib.Path(arguments.keep)
        keep.mkdir(parents=True, exist_ok=True)
        _, data = file_of(kind, first, read_seeds(folder))
        (keep / f"{kind}-{first}").write_bytes(data)
        why = "hangs" if run is None else "crashes"
        said = "" if run is None else run.stderr[-2_000:]
        print(f"{kind} {first}: {why}", said, file=sys.stderr, flush=True)
        return {why: 1}
    totals = collections.Counter()
    step = -(-count // 8)
    for start in range(first, first + count, step):
        size = min(step, first + count - start)
        _add(totals, _run(kind, start, size, folder, arguments))
    return totals


if __name__ == "__main__":
    main()
