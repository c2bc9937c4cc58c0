"""Kills a process at a write: before it, or after a file was opened and is empty.

    python -m tests.kills train|pack|export [every] [chain]

kills a command at every `every`-th of its writes, one process each, and repeats the
command: it must end well, with the same files. It prints what does not.
"""

import collections.abc
import hashlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link")


def fork(
    action: collections.abc.Callable[[], Any],
    folder: str | os.PathLike,
    kill_at: int = 0,
) -> tuple[int, int]:
    """Runs a function in a forked process.

    Fork before TensorFlow or polars compute anything: their threads are not copied.

    Args:
        action: The function.
        folder: Writes to anything in or next to this folder are counted.
        kill_at: Number of the write to kill the process at; 0 for none.

    Returns:
        The exit code, -9 after a kill; and the number of writes.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        counter = _Counter(os.path.realpath(folder), kill_at)
        sys.addaudithook(counter)
        code = 0
        try:
            action()
        except BaseException:
            traceback.print_exc()
            code = 1
        os.write(write, str(counter.writes).encode())
        os._exit(code)
    os.close(write)
    with open(read) as pipe:
        writes = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), int(writes or 0)


class _Counter:
    """An audit hook that counts writes, and kills the process at one of them."""

    def __init__(self, folder, kill_at):
        self.folder, self.kill_at = folder, kill_at
        self.writes, self.is_inside = 0, False

    def __call__(self, event, arguments):
        if self.is_inside or event not in ("open", *_CHANGES):
            return
        self.is_inside = True
        try:
            if self._is_write(event, arguments):
                self.writes += 1
                if self.writes == self.kill_at:
                    if event == "open":  # what the open under way does to the file
                        os.close(os.open(arguments[0], os.O_CREAT | os.O_WRONLY))
                        os.truncate(arguments[0], 0)
                    os.kill(os.getpid(), signal.SIGKILL)
        finally:
            self.is_inside = False

    def _is_write(self, event, arguments):
        path = arguments[0]
        if not isinstance(path, (str, os.PathLike, bytes)):
            return False
        if not os.path.realpath(os.fsdecode(path)).startswith(self.folder):
            return False
        if event != "open":
            return True
        _, mode, flags = arguments
        if mode is None:
            return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        return any(letter in mode for letter in "wax+")


def files_of(folder: str | os.PathLike) -> dict[str, str]:
    """A hash of each file by its path in the folder."""
    folder = pathlib.Path(folder)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_table(folder: pathlib.Path, rows: int = 48) -> pathlib.Path:
    """A table of a number and a category, and of files for `pack`."""
    lines = [
        f"{i % 9 / 4},{'red' if i % 3 else 'blue'},{'ab'[i % 2]}" for i in range(rows)
    ]
    path = folder / "rows.csv"
    path.write_text("\n".join(["x,color,y", *lines]) + "\n")
    names = [f"{i}.png" for i in range(20)]
    for name in names:
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode() * 40)
    (folder / "files.csv").write_text("\n".join(["photo", *names, "gone.png"]) + "\n")
    return path


def train(folder: pathlib.Path, out: pathlib.Path) -> None:
    """Trains on the table, in two epochs, without graphs, which take long to trace."""
    import tensorflow as tf

    import mbm_keras as mbm

    tf.config.run_functions_eagerly(True)

    mbm.train(folder / "rows.csv", "y", out=out, epochs=2, baselines=False, verbose=0)


def pack(folder: pathlib.Path, out: pathlib.Path) -> None:
    """Packs the files into three tars."""
    from data_pipelines import sources
    from data_pipelines.tables.pack import pack as pack_table

    table = sources.open_table(folder / "files.csv", columns={"photo": "image"})
    pack_table(table, out, kind="tar", shard_bytes=4_000)


def import_all() -> None:
    """Imports what the commands need, so that a forked process does not wait for it."""
    import keras  # noqa: F401
    import polars  # noqa: F401
    import tensorflow  # noqa: F401

    import data_pipelines.decoding.decode
    import data_pipelines.sources
    import data_pipelines.tables.pack  # noqa: F401
    import mbm_keras.auto.build
    import mbm_keras.evaluation
    import mbm_keras.models
    import mbm_keras.preprocessing
    import mbm_keras.runs
    import mbm_keras.training  # noqa: F401


def run(name: str, every: int = 1, *, again: bool = True) -> list[str]:
    """Kills a command at its writes.

    Args:
        name: One of `COMMANDS`.
        every: Kills at every so manyth write.
        again: True to let the command end after each kill, and to start anew; False to
            kill one run again and again, and to let it end at last.

    Returns:
        What was not as it is without a kill, a line each.
    """
    import_all()
    home = pathlib.Path(tempfile.mkdtemp())
    write_table(home)
    if name == "export" and fork(lambda: train(home, home / "run"), home)[0]:
        return ["train did not end well"]
    command, out, wrong = COMMANDS[name], home / "out", []
    code, writes = fork(lambda: command(home, home / "whole"), home / "whole")
    expected = digests(home / "whole")
    if code or not expected:
        return [f"{name} did not end well"]
    numbers = range(1, writes + 1, every)
    for number in numbers:
        killed, _ = fork(lambda: command(home, out), out, number)
        if killed != -signal.SIGKILL and again:
            wrong.append(f"{name} was not killed at write {number} of {writes}")
        if again or number == numbers[-1]:
            code, _ = fork(lambda: command(home, out), out)
            found = digests(out)
            if code or found != expected:
                different = sorted({*found.items()} ^ {*expected.items()})
                wrong.append(f"{name}, write {number} of {writes}: {code}, {different}")
            shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(home)
    return wrong


def export(folder: pathlib.Path, out: pathlib.Path) -> None:
    """Exports the run that is in the folder."""
    import mbm_keras as mbm

    mbm.load(folder / "run").export(out)


def digests(folder: pathlib.Path) -> dict[str, str]:
    """What two runs of one command have in common: not seconds, dates and names."""
    found = files_of(folder)
    for name in ("metrics.json", "report.html", "model.keras", "run.json"):
        if name in found:
            found[name] = ""
    for name in found:
        if name.startswith(("saved_model.pb", "fingerprint.pb", "variables/")):
            found[name] = ""
    if "model.keras" in found:
        with zipfile.ZipFile(folder / "model.keras") as file:
            weights = file.read("model.weights.h5")
        found["model.keras"] = hashlib.sha256(weights).hexdigest()
    return found


COMMANDS = {"train": train, "pack": pack, "export": export}


if __name__ == "__main__":
    lines = run(sys.argv[1], *map(int, sys.argv[2:3]), again="chain" not in sys.argv)
    sys.stdout.write("\n".join([*lines, ""]))
    sys.exit(bool(lines))
