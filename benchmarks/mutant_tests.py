"""Which tests call which function, and tests on a copy with a fault, in forks.

TensorFlow, Keras and pytest are imported once. A fork of this process, made before any
operation of TensorFlow has run, imports the package from a copy of the folder.
"""

import functools
import hashlib
import importlib
import json
import os
import pathlib
import resource
import shutil
import signal
import sys
import threading
import time
import traceback

import pytest

COPIED = ("mbm_keras", "data_pipelines", "tests", "setup.cfg", "pyproject.toml")
IMPORTED = (
    "tensorflow keras numpy polars soundfile PIL.Image scipy.signal scipy.special"
    " sklearn.metrics sklearn.model_selection matplotlib.pyplot"
).split()
SECONDS = 10  # of tests for a fault, in CPU seconds
LIMIT = 120  # wall seconds of a fork; a fault that does not end is caught
GENERATED = "__autograph_generated_file"  # functions that TensorFlow translated


def import_early():
    """Imports what takes long, except this package."""
    for name in IMPORTED:
        importlib.import_module(name)


def copy_of(root, folder):
    """A copy of the package and its tests in a new folder."""
    folder = pathlib.Path(folder)
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder)
    return folder


def fork(copy, work, limit):
    """Starts `work()` in a fork whose package is a copy; returns its process id."""
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        output = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        sys.path.insert(0, str(copy))
        result = work()
        (copy / "result.json").write_text(json.dumps(result))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def in_forks(jobs, copies, limit=LIMIT):
    """Runs jobs, one at a time in each copy, and yields `(job, result)`.

    Args:
        jobs: An iterator of `(job, work)`; `work(copy)` prepares the copy and returns
            a function for the fork.
        copies: Folders.
        limit: Seconds, of the clock and of the processor, for one job.

    Yields:
        The job, and what the function returned: None if it ended before, or
        "timeout".
    """
    idle, running, jobs = list(copies), {}, iter(jobs)
    while True:
        for job, work in jobs if idle else ():
            copy = idle.pop()
            (copy / "result.json").unlink(missing_ok=True)
            running[fork(copy, work(copy), limit)] = (job, copy, time.time() + limit)
            if not idle:
                break
        if not running:
            return
        for process, (job, copy, deadline) in list(running.items()):
            ended = os.waitpid(process, os.WNOHANG)[0]
            late = not ended and time.time() > deadline
            if late:
                os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)
            if ended or late:
                del running[process]
                idle.append(copy)
                path = copy / "result.json"
                text = path.read_text() if path.exists() else ""
                yield job, "timeout" if late else json.loads(text or "null")
        time.sleep(0.02)


def record(root, files, copies):
    """Runs test files as they are: the seconds and the called functions of each test.

    Args:
        root: The folder of the package.
        files: Test files, relative to it.
        copies: Copies of the folder.

    Yields:
        `(file, tests)`, with `tests` `{test: [seconds, [[path, function], ...]]}`; a
        test that fails, is skipped or is marked slow is left out.
    """
    jobs = ((file, functools.partial(_recording, file)) for file in files)
    for file, tests in in_forks(jobs, copies, 10 * LIMIT):
        yield file, tests if isinstance(tests, dict) else {}


def digest(path):
    """Of a test file, to see whether it changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _recording(file, copy):
    def work():
        recorder = _Recorder(str(copy) + os.sep)
        functools.cache = recorder.cache
        sys.settrace(recorder.trace)
        threading.settrace(recorder.trace)
        _pytest(["-m", "not slow", file], recorder)
        return recorder.tests

    return work


def chosen(tests, path, function):
    """Tests for a fault in a function: those that call it first, and fast ones first.

    Args:
        tests: `{test: [seconds, calls]}` of all test files.
        path: The file of the fault.
        function: The name of the function around it, "" for none.

    Returns:
        Names of tests, file by file.
    """
    found, folder = [], path.rpartition("/")[0]
    for name, (seconds, calls) in tests.items():
        # A file of constants has no function that is called: its folder has.
        files = {call[0] for call in calls}
        touched = {call[1] for call in calls if call[0] == path}
        translated = {call[1] for call in calls if not call[0]}
        if touched or function in translated:
            calling = function in touched or function in translated or not function
            found.append((not calling, seconds, name))
        elif not function and any(f.rpartition("/")[0] == folder for f in files):
            found.append((True, seconds, name))
    kept, total = [], 0.0
    for _, seconds, name in sorted(found):
        if total + seconds <= 2 * SECONDS:  # recording is half as fast
            total += seconds
            kept.append(name)
    files = list(dict.fromkeys(name.partition("::")[0] for name in kept))
    return sorted(kept, key=lambda name: files.index(name.partition("::")[0]))


def run(tests, copy):
    """A function for a fork: runs tests until one fails, and returns which one."""
    if not tests:
        return lambda: {"by": None, "seconds": 0.0, "tests": 0}

    def work():
        plugin = _Chosen(tests)
        files = dict.fromkeys(name.partition("::")[0] for name in tests)
        _pytest(["-x", *files], plugin)
        return {"by": plugin.by, "seconds": plugin.seconds(), "tests": plugin.ran}

    return work


def _pytest(arguments, plugin):
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    pytest.main([*options, "--tb=line", *arguments], plugins=[plugin])


class _Chosen:
    """Runs the chosen tests in their order, and stops when their time is up."""

    def __init__(self, tests):
        self.order = {name: i for i, name in enumerate(tests)}
        self.by, self.ran, self.start = None, 0, None

    def seconds(self):
        return 0.0 if self.start is None else time.process_time() - self.start

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logstart(self):
        self.start = self.start or time.process_time()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.ran += 1
        result = yield
        if self.seconds() > SECONDS:
            item.session.shouldstop = "time is up"
        return result

    def pytest_runtest_logreport(self, report):
        if report.failed and self.by is None:
            self.by = report.nodeid

    def pytest_collectreport(self, report):
        if report.failed and self.by is None:
            self.by = f"import of {report.nodeid}"


class _Recorder:
    """Counts a call also for the tests that use its cached result or fixture."""

    def __init__(self, root):
        self.root, self.tests = root, {}
        self.calls, self.fixtures, self.keys = set(), {}, {}

    def trace(self, frame, event, argument):
        code = frame.f_code
        if code not in self.keys:
            file, name = code.co_filename, code.co_name
            if file.startswith(self.root):
                self.keys[code] = (file.removeprefix(self.root), name)
            elif GENERATED in file and name.startswith("tf__"):
                self.keys[code] = ("", name.removeprefix("tf__"))
            else:
                self.keys[code] = None
        if self.keys[code] is not None:
            self.calls.add(self.keys[code])

    def cache(self, function):
        """Replaces `functools.cache`, and remembers the calls of each result."""
        results = {}

        @functools.wraps(function)
        def call(*arguments, **named):
            key = (arguments, *sorted(named.items()))
            if key not in results:
                outer, self.calls = self.calls, set()
                results[key] = (function(*arguments, **named), self.calls)
                self.calls = outer | self.calls
            self.calls |= results[key][1]
            return results[key][0]

        call.cache_clear = results.clear
        return call

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        outer, self.calls = self.calls, set()
        try:
            return (yield)
        finally:
            known = self.fixtures.setdefault(fixturedef.argname, set())
            known |= self.calls
            self.calls = outer | self.calls

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.calls, self.is_good, start = set(), True, time.process_time()
        result = yield
        seconds = round(time.process_time() - start, 3)
        for name in item.fixturenames:
            self.calls |= self.fixtures.get(name, set())
        calls = sorted(c for c in self.calls if not c[0].startswith("tests/"))
        if self.is_good and seconds < SECONDS:
            self.tests[item.nodeid] = [seconds, calls]
        return result

    def pytest_runtest_logreport(self, report):
        self.is_good = self.is_good and report.passed
