"""Deliberate faults in the package, and how many of them the tests notice.

One fault at a time is put into a copy of the package: another operator or comparison,
a term, call, mask or condition that is missing, swapped arguments, another axis or
constant, another variable (`mutations.py`). Then the tests that call the function, and
those that touch its file, run for ten CPU seconds in all; who calls what is recorded
first. A fault that no test notices is a survivor. Faults that change nothing a test
could see are in `mutants.json`, each with the reason, and are not counted.

`--part` takes a folder such as `fusion` or `decoding`, or a file such as
`fusion/film.py`. With `--out`, what is in the file is not run again. Goal: nine of ten
faults are noticed.
"""

import collections
import functools
import json
import pathlib
import sys
import tempfile
import time

import common
import mutant_tests
import mutations

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = (
    "mbm_keras/fusion mbm_keras/generation mbm_keras/layers mbm_keras/losses"
    " mbm_keras/metrics mbm_keras/models mbm_keras/preprocessing mbm_keras/tasks"
    " mbm_keras/training data_pipelines/batching data_pipelines/decoding"
    " data_pipelines/tables"
).split()
# Tests of whole runs take long: those of the rooms have to notice.
TESTS = (
    "fusion generation layers losses metrics models preprocessing tasks training"
    " towers evaluation data_pipelines"
)


def main():
    """Records the tests, tries the faults, and counts."""
    arguments = common.options(
        __doc__,
        seed=(int, 0, "which faults are chosen"),
        count=(int, 600, "how many"),
        part=(str, "", "only the files whose path has one of these in it"),
        tests=(str, TESTS, "folders of tests, separated by spaces"),
        jobs=(int, 2, "how many at a time"),
        out=(str, "", "a file of results to continue"),
        again=(int, 0, "1 to try the survivors in the file again, and no others"),
    )
    start = time.time()
    mutant_tests.import_early()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(arguments.out or f"{folder}/results.jsonl")
        copies = []
        for i in range(arguments.jobs):
            copies.append(mutant_tests.copy_of(ROOT, f"{folder}/{i}"))
        mutants = choose(arguments, copies[0])
        tests = record_tests(out.with_suffix(".tests.json"), arguments.tests, copies)
        results = try_all(mutants, tests, copies, out, arguments.again)
    show(results, time.time() - start, arguments)


def choose(arguments, copy):
    """The faults of this run, without those known to change nothing."""
    equivalent = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
    found = []
    for folder in FOLDERS:
        for path in sorted((copy / folder).glob("*.py")):
            name = str(path.relative_to(copy))
            if any(part in name for part in arguments.part.split() or [""]):
                found += mutations.mutants_of(name, path.read_bytes())
    found = [mutant for mutant in found if mutant.key not in equivalent]
    count = 30 if arguments.quick else arguments.count
    return mutations.sample(found, count, arguments.seed)


def record_tests(path, folders, copies):
    """Seconds and calls of all tests, from a file where it knows the test file."""
    known = json.loads(path.read_text()) if path.exists() else {}
    files = []
    for folder in folders.split():
        files += sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    files = {str(file.relative_to(ROOT)): mutant_tests.digest(file) for file in files}
    known = {f: e for f, e in known.items() if files.get(f, e[0]) == e[0]}
    missing = [file for file in files if file not in known]
    for file, tests in mutant_tests.record(ROOT, missing, copies):
        known[file] = [files[file], tests]
        print(f"{file}: {len(tests)} tests", file=sys.stderr)
        path.write_text(json.dumps(known))
    return {name: test for _, tests in known.values() for name, test in tests.items()}


def try_all(mutants, tests, copies, out, again):
    """Tries the faults that the file of results does not have; returns all results."""
    known = {}
    if out.exists():
        for line in out.read_text().splitlines():
            result = json.loads(line)
            known[result["key"]] = result
    missing = [m for m in mutants if m.key not in known]
    if again:
        missing = [m for m in mutants if known.get(m.key, {}).get("by", "") is None]

    def jobs():
        for mutant in missing:
            yield mutant, functools.partial(_prepare, mutant, tests)

    with out.open("a") as file:
        for mutant, result in mutant_tests.in_forks(jobs(), copies):
            if not isinstance(result, dict):
                # It did not end, or it ended the process.
                result = {"by": result or "crash", "seconds": 0.0, "tests": 0}
            known[mutant.key] = {"key": mutant.key, "line": mutant.line, **result}
            file.write(json.dumps(known[mutant.key]) + "\n")
            file.flush()
            print(result["by"] or "SURVIVED", mutant.key, file=sys.stderr)
    return {m: known[m.key] for m in mutants if m.key in known}


def _prepare(mutant, tests, copy):
    for path, whole in _changed.pop(copy, {}).items():
        path.write_bytes(whole)
    path = copy / mutant.path
    whole = path.read_bytes()
    _changed[copy] = {path: whole}
    path.write_bytes(mutations.apply(mutant, whole))
    chosen = mutant_tests.chosen(tests, mutant.path, mutant.function)
    return mutant_tests.run(chosen, copy)


_changed = {}  # files with a fault, and what they were, by copy


def show(results, seconds, arguments):
    """Prints the counts by folder, and every survivor."""
    counts = collections.Counter()
    for mutant, result in results.items():
        folder = mutant.path.rpartition("/")[0]
        for name in (folder, "all"):
            counts[name, "faults"] += 1
            counts[name, "caught"] += result["by"] is not None
            counts[name, "without a test"] += not result["tests"] and not result["by"]
    shown = {}
    for folder in (*FOLDERS, "all"):
        if counts[folder, "faults"]:
            names = ("faults", "caught", "without a test")
            shown[folder] = {name: counts[folder, name] for name in names}
    share = counts["all", "caught"] / max(1, counts["all", "faults"])
    survivors = [m.key for m, result in results.items() if result["by"] is None]
    shown |= {"caught": share, "seed": arguments.seed, "seconds": round(seconds)}
    common.show(shown | {"survivors": survivors}, arguments.json)


if __name__ == "__main__":
    main()
