"""A work of parts whose workers are killed and fail as a test wants."""

import os
import signal


def begin(folder):
    """Doubles a number; `kill-<part>` ends the worker once, `fatal-<part>` always."""
    if (folder / "fatal").exists():
        os.kill(os.getpid(), signal.SIGKILL)

    def work(part, number):
        for name in (f"kill-{part}", f"fatal-{part}"):
            if (folder / name).exists():
                if name.startswith("kill"):
                    (folder / name).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        if (folder / f"wrong-{part}").exists():
            raise ValueError(f"part {part} cannot be done")
        return 2 * number, os.getpid()

    return work
