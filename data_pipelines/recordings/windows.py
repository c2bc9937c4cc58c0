"""Streams with clocks of their own, cut into windows that stay in step.

Video frames, sound, sensor sweeps and words have rates and offsets that do not divide
each other. A window is a stretch of time; what of each stream falls into it is worked
out from the window's own start, so that no rounding adds up over a long recording.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Regular:
    """Samples at a fixed rate: frames of a clip, samples of a sound.

    Every window has the same number of places, `seconds * rate` to the nearest whole
    number, and the sample at each place is the nearest in time: at most half a period
    off.

    Args:
        length: Number of samples.
        rate: Samples per second.
        offset: Time of the first, in seconds.
    """

    length: int
    rate: float
    offset: float = 0.0

    def span(self):
        """Time of the first sample, and of the end of the last, in seconds."""
        return self.offset, self.offset + self.length / self.rate

    def window_rows(self, starts, seconds):
        """Rows and mask `(windows, places)`, and how many samples found no place."""
        places = max(1, int(np.floor(seconds * self.rate + 0.5)))
        first = np.floor((starts - self.offset) * self.rate + 0.5).astype("int64")
        rows = first[:, None] + np.arange(places)
        mask = (rows >= 0) & (rows < self.length)
        return np.where(mask, rows, 0), mask, 0


@dataclasses.dataclass(frozen=True)
class Timed:
    """Samples with a time each, such as the sweeps of a radar.

    A sample is in the windows that its time is in, the start included.

    Args:
        times: `(length,)` seconds, in order.
        places: Places of a window; None for as many as the fullest one needs. What
            comes later in a fuller window finds no place, and is counted.
    """

    times: np.ndarray
    places: int | None = None

    def __post_init__(self):
        times = np.asarray(self.times, "float64")
        if len(times) and not (
            np.isfinite(times).all() and (np.diff(times) >= 0).all()
        ):
            raise ValueError("`times` must be finite and in order.")
        object.__setattr__(self, "times", times)

    def span(self):
        """Time of the first and of the last sample, in seconds."""
        if not len(self.times):
            return np.inf, -np.inf
        return self.times[0], np.nextafter(self.times[-1], np.inf)

    def window_rows(self, starts, seconds):
        """Rows and mask `(windows, places)`, and how many samples found no place."""
        first = np.searchsorted(self.times, starts)
        counts = np.searchsorted(self.times, starts + seconds) - first
        places = self.places
        if places is None:
            places = max(1, int(counts.max(initial=0)))
        rows = first[:, None] + np.arange(places)
        mask = np.arange(places) < counts[:, None]
        lost = int(np.maximum(counts - places, 0).sum())
        return np.where(mask, rows, 0), mask, lost


def spans(starts, ends, places=None):
    """Words, or whatever lasts from a start to an end: in time by its middle.

    Args:
        starts: `(length,)` seconds.
        ends: `(length,)` seconds, none before its start; the middles in order.
        places: As for `Timed`.

    Returns:
        A `Timed`: a word that crosses the edge of two windows is in the one that has
        more of it.

    Raises:
        ValueError: If an end comes before its start.
    """
    starts, ends = np.asarray(starts, "float64"), np.asarray(ends, "float64")
    if (ends < starts).any():
        wrong = int(np.flatnonzero(ends < starts)[0])
        raise ValueError(
            f"Number {wrong} ends before it starts: {starts[wrong]} to {ends[wrong]}."
        )
    return Timed((starts + ends) / 2, places)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows over several streams.

    Args:
        starts: `(windows,)` seconds.
        rows: By stream, which sample is at each place of each window, `(windows,
            places)` int64; 0 where there is none.
        mask: By stream, where there is one, `(windows, places)` bool.
        lost: By stream, how many samples of a window found no place in it.
    """

    starts: np.ndarray
    rows: dict
    mask: dict
    lost: dict

    def gather(self, name, values):
        """A stream's samples by window, zeros where there is none.

        Args:
            name: Name of the stream.
            values: `(length, ...)`.

        Returns:
            `(windows, places, ...)`.
        """
        values = np.asarray(values)
        mask = self.mask[name].reshape(*self.mask[name].shape, *[1] * (values.ndim - 1))
        if not len(values):
            return np.zeros((*self.mask[name].shape, *values.shape[1:]), values.dtype)
        return np.where(mask, values[self.rows[name]], np.zeros((), values.dtype))


def cut(streams, seconds, hop=None):
    """Cuts streams into windows.

    The first window starts with the earliest sample of any stream, and the last is the
    first one that reaches the end of all of them: at the edges a stream that is not
    there yet, or no longer, is masked.

    Args:
        streams: By name, a `Regular` or a `Timed`.
        seconds: Length of a window.
        hop: From one start to the next; None for `seconds`, where every sample is in
            one window.

    Returns:
        A `Windows`.

    Raises:
        ValueError: If there is no sample, or a length is not positive.
    """
    hop = seconds if hop is None else hop
    if not seconds > 0 or not hop > 0:
        raise ValueError(f"Windows take time. Received: seconds={seconds}, hop={hop}.")
    begin = min((stream.span()[0] for stream in streams.values()), default=np.inf)
    end = max((stream.span()[1] for stream in streams.values()), default=-np.inf)
    if not begin < end:
        raise ValueError(f"There is no sample in {sorted(streams)}.")
    # One window more only for what lasts longer than a rounding error.
    count = max(1, int(np.ceil((end - begin - seconds) / hop - 1e-9)) + 1)
    starts = begin + hop * np.arange(count)
    parts = {
        name: stream.window_rows(starts, seconds) for name, stream in streams.items()
    }
    rows, mask, lost = ({n: p[i] for n, p in parts.items()} for i in range(3))
    return Windows(starts, rows, mask, lost)
