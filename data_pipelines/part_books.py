"""Which parts of a work wait, and what is said of one in which workers ended."""

import collections
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

_TRIES = 2  # a part in which so many workers ended is given up


class PartBooks:
    """The parts that wait for a worker, in order.

    Args:
        parts: Numbers of the parts.
        take: What a part needs, by its number.
    """

    def __init__(self, parts: Sequence[int], take: Callable[[int], Any]):
        self._waiting = collections.deque(parts)
        self._take = take
        self._ended: collections.Counter = collections.Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def give(self) -> tuple[int, Any]:
        """The next part, and what it needs."""
        part = self._waiting.popleft()
        return part, self._take(part)

    def take_back(self, part: int | None, how: str, why: str = "") -> None:
        """A worker ended: its part is the next one again.

        Args:
            part: The part that the worker had; None if it had not begun.
            how: Which worker ended, and how, such as "A worker was ended".
            why: More on the reason, in parentheses, or nothing.

        Raises:
            ValueError: If as many workers as are tried ended in this part.
        """
        self._ended[part] += 1
        if self._ended[part] == _TRIES:
            where = "before it began" if part is None else f"in part {part}"
            raise ValueError(
                f"{how} {where}, and so was the next one, perhaps for lack of memory"
                f"{why}. Repeat the command with fewer workers or smaller parts; what "
                "is done is kept."
            )
        if part is not None:
            self._waiting.appendleft(part)
