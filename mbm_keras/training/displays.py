"""Where progress is shown: a line that is redrawn, a line per epoch, or nowhere."""

import shutil
import sys
from collections.abc import Sequence
from typing import Protocol
from typing import TextIO


class Display(Protocol):
    """Where progress is shown."""

    def update(self, head: str, share: float, tails: Sequence[str]) -> None:
        """Shows how far an epoch is.

        Args:
            head: The stage and the epoch.
            share: The share of the epoch that is done, in [0, 1].
            tails: Values and time left, from the longest text to the shortest.
        """
        ...

    def end_epoch(self, text: str) -> None:
        """Shows the values of an epoch."""
        ...

    def end_stage(self, text: str) -> None:
        """Shows the result of a stage."""
        ...

    def close(self) -> None:
        """Leaves the output as the next text expects it."""
        ...


def display_for(verbose: int | str) -> Display:
    """The display that `verbose` of `fit_stages` asks for.

    Args:
        verbose: 0, 1, 2 or "auto", see `fit_stages`.

    Raises:
        ValueError: If `verbose` is something else.
    """
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(
            f"Expected verbose of 0, 1, 2 or 'auto'. Received: {verbose!r}."
        )
    if verbose == 0:
        return Silence()
    if verbose in ("auto", 1) and in_notebook():
        return NotebookLine()
    if verbose == 1 or (verbose == "auto" and sys.stderr.isatty()):
        return TerminalLine(sys.stderr)
    return PlainLines(sys.stderr)


class Silence:
    """Shows nothing."""

    def update(self, head: str, share: float, tails: Sequence[str]) -> None:
        pass

    def end_epoch(self, text: str) -> None:
        pass

    def end_stage(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class PlainLines:
    """A line per epoch and per stage, for files and pipes.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream

    def update(self, head: str, share: float, tails: Sequence[str]) -> None:
        pass

    def end_epoch(self, text: str) -> None:
        self.end_stage(text)

    def end_stage(self, text: str) -> None:
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        pass


class TerminalLine:
    """One line that is redrawn, and a line for each stage that has ended.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream
        self._length = 0

    def update(self, head: str, share: float, tails: Sequence[str]) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write(bar_line(head, share, tails, width, self._has_unicode()))

    def end_epoch(self, text: str) -> None:
        pass

    def end_stage(self, text: str) -> None:
        self._write(text)
        self.close()

    def close(self) -> None:
        if self._length:
            self.stream.write("\n")
            self.stream.flush()
        self._length = 0

    def _write(self, text):
        self.stream.write(f"\r{text.ljust(self._length)}")
        self.stream.flush()
        self._length = len(text)

    def _has_unicode(self):
        return "utf" in (self.stream.encoding or "").lower()


class NotebookLine:
    """The same in the output of a notebook's cell."""

    def __init__(self):
        self._ended: list[str] = []
        self._handle = None

    def update(self, head: str, share: float, tails: Sequence[str]) -> None:
        self._show(bar_line(head, share, tails, 110))

    def end_epoch(self, text: str) -> None:
        pass

    def end_stage(self, text: str) -> None:
        self._ended.append(text)
        self._show()

    def close(self) -> None:
        pass

    def _show(self, *line):
        import IPython.display

        data = {"text/plain": "\n".join([*self._ended, *line])}
        if self._handle is None:
            self._handle = IPython.display.display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def bar_line(
    head: str,
    share: float,
    tails: Sequence[str],
    width: int,
    has_unicode: bool = True,
) -> str:
    """Two texts with a bar between them, which takes the room that they leave.

    Args:
        head: Text on the left.
        share: How much of the bar is full, in [0, 1].
        tails: Text on the right: the first of these that leaves room.
        width: Number of characters.
        has_unicode: False to draw the bar with ASCII characters.

    Returns:
        One line; without the bar if there is no room for it.
    """
    done, rest = "━─" if has_unicode else "=-"
    for tail in tails:
        room = min(24, width - len(head) - len(tail) - 4)
        if room >= 6:
            full = round(share * room)
            return f"{head}  {done * full}{rest * (room - full)}  {tail}"
    lines = [f"{head}  {tail}" for tail in tails]
    return next((line for line in lines if len(line) <= width), lines[-1][:width])


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config
