"""Windows of time over streams of different rates, aligned with each other.

Video frames, sound, sensor sweeps and words have rates and offsets that do not divide
each other. A window is an interval of time. Which samples of each stream belong to it
is computed from the start of the window itself, so rounding errors do not add up over a
long recording.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import Protocol

import numpy as np


class TimedStream(Protocol):
    """Samples of one stream, in order of time."""

    def span(self) -> tuple[float, float]:
        """Time of the first sample and of the end of the last, in seconds."""
        ...

    def index_windows(
        self, starts: np.ndarray, seconds: float
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Finds the samples of each window.

        Args:
            starts: `(windows,)` seconds.
            seconds: Length of a window.

        Returns:
            `(windows, steps)` int64, the sample at each step, 0 for no sample;
            `(windows, steps)` bool, True for a sample; and how many samples of all
            windows do not fit into them.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Regular:
    """Samples at a fixed rate: frames of a clip, samples of a sound.

    All windows have the same number of steps, `seconds * rate` rounded, and the sample
    at each step is the nearest in time: at most half a period away.

    Args:
        length: Number of samples.
        rate: Samples per second.
        offset: Time of the first sample, in seconds.
    """

    length: int
    rate: float
    offset: float = 0.0

    def span(self) -> tuple[float, float]:
        """Time of the first sample and of the end of the last, in seconds."""
        return self.offset, self.offset + self.length / self.rate

    def index_windows(
        self, starts: np.ndarray, seconds: float
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Finds the samples of each window, see `TimedStream`."""
        steps = max(1, int(np.floor(seconds * self.rate + 0.5)))
        first = np.floor((starts - self.offset) * self.rate + 0.5).astype("int64")
        index = first[:, None] + np.arange(steps)  # (windows, steps)
        mask = (index >= 0) & (index < self.length)
        return np.where(mask, index, 0), mask, 0


@dataclasses.dataclass(frozen=True)
class Timed:
    """Samples with a time each, such as the sweeps of a radar.

    A sample belongs to the windows that contain its time, the start included and the
    end excluded.

    Args:
        times: `(length,)` seconds, in order.
        steps: Steps of a window; None for as many as the fullest window needs. Later
            samples of a fuller window do not fit, and are counted.

    Raises:
        ValueError: If the times are not finite or not in order.
    """

    times: np.ndarray
    steps: int | None = None

    def __post_init__(self):
        times = np.asarray(self.times, "float64")
        finite, ordered = np.isfinite(times).all(), (np.diff(times) >= 0).all()
        if not (finite and ordered):
            raise ValueError(
                "Expected finite times in order. Received: "
                f"finite={bool(finite)}, in order={bool(ordered)}."
            )
        object.__setattr__(self, "times", times)

    def span(self) -> tuple[float, float]:
        """Time of the first sample, and just after the last, in seconds."""
        if not len(self.times):
            return np.inf, -np.inf
        return self.times[0], np.nextafter(self.times[-1], np.inf)

    def index_windows(
        self, starts: np.ndarray, seconds: float
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Finds the samples of each window, see `TimedStream`."""
        first = np.searchsorted(self.times, starts)
        counts = np.searchsorted(self.times, starts + seconds) - first
        steps = self.steps
        if steps is None:
            steps = max(1, int(counts.max(initial=0)))
        index = first[:, None] + np.arange(steps)  # (windows, steps)
        mask = np.arange(steps) < counts[:, None]
        lost = int(np.maximum(counts - steps, 0).sum())
        return np.where(mask, index, 0), mask, lost


def spans(starts: np.ndarray, ends: np.ndarray, steps: int | None = None) -> Timed:
    """Words, or other samples with a start and an end: timed by their middle.

    Args:
        starts: `(length,)` seconds.
        ends: `(length,)` seconds, none before its start; the middles are in order.
        steps: As for `Timed`.

    Returns:
        A `Timed`: a word that crosses the edge of two windows belongs to the one that
        contains more of it.

    Raises:
        ValueError: If an end comes before its start.
    """
    starts, ends = np.asarray(starts, "float64"), np.asarray(ends, "float64")
    wrong = np.flatnonzero(ends < starts)
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            "Expected no end before its start. Received: "
            f"starts[{i}]={starts[i]}, ends[{i}]={ends[i]}."
        )
    return Timed((starts + ends) / 2, steps)


@dataclasses.dataclass(frozen=True)
class Windows:
    """The samples of several streams in each window.

    Args:
        starts: `(windows,)` seconds.
        index: By name of the stream, which of its samples is at each step of each
            window, `(windows, steps)` int64; 0 for no sample.
        mask: By name of the stream, `(windows, steps)` bool, True for a sample.
        lost: By name of the stream, how many samples do not fit into their window.
    """

    starts: np.ndarray
    index: dict[str, np.ndarray]
    mask: dict[str, np.ndarray]
    lost: dict[str, int]

    def gather(self, name: str, values: np.ndarray) -> np.ndarray:
        """The samples of a stream by window, zeros for no sample.

        Args:
            name: Name of the stream.
            values: `(length, ...)`, its samples.

        Returns:
            `(windows, steps, ...)`.
        """
        values = np.asarray(values)
        index, mask = self.index[name], self.mask[name]  # (windows, steps)
        if not len(values):
            return np.zeros((*mask.shape, *values.shape[1:]), values.dtype)
        mask = mask.reshape(*mask.shape, *[1] * (values.ndim - 1))
        return np.where(mask, values[index], np.zeros((), values.dtype))


def make_windows(
    streams: Mapping[str, TimedStream], seconds: float, hop: float | None = None
) -> Windows:
    """Divides streams into windows of time.

    The first window starts with the earliest sample of all streams; the last one is the
    first that reaches the end of all of them. Where a stream has not begun yet, or has
    ended, it is masked.

    Args:
        streams: By name, a `Regular`, a `Timed` or another `TimedStream`.
        seconds: Length of a window.
        hop: Distance between the starts of two windows, in seconds; None for `seconds`,
            so that each sample is in one window.

    Returns:
        A `Windows`.

    Raises:
        ValueError: If there is no sample, or `seconds` or `hop` is not positive.
    """
    hop = seconds if hop is None else hop
    if not seconds > 0 or not hop > 0:
        raise ValueError(
            f"Expected seconds > 0 and hop > 0. Received: seconds={seconds}, hop={hop}."
        )
    begin = min((stream.span()[0] for stream in streams.values()), default=np.inf)
    end = max((stream.span()[1] for stream in streams.values()), default=-np.inf)
    if not begin < end:
        raise ValueError(
            "Expected a sample in one stream or more. Received: "
            f"streams={sorted(streams)}, all of them empty."
        )
    # A rounding error is not worth one more window.
    count = max(1, int(np.ceil((end - begin - seconds) / hop - 1e-9)) + 1)
    starts = begin + hop * np.arange(count)
    parts: dict[str, Any] = {
        name: stream.index_windows(starts, seconds) for name, stream in streams.items()
    }
    index, mask, lost = (
        {name: part[i] for name, part in parts.items()} for i in range(3)
    )
    return Windows(starts, index, mask, lost)
