"""Windows of a sound file of any length, in memory that does not grow."""

import dataclasses
import io
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_pipelines.formats import sound

_PAUSE = 0.2  # seconds; the closure of a consonant is shorter
_EDGE = 0.1  # seconds of a pause that a window keeps
_LOUDER = 4  # times: speech than pauses, or they cannot be found by their level
_QUIET = 0.1  # of the range of levels


@dataclasses.dataclass(frozen=True)
class SoundWindow:
    """A part of a recording.

    Args:
        start: Its first sample, at the rate of the recording.
        wave: `(samples,)` float32, the mean of the channels.
        is_last: Whether the recording ends with it.
        clipped: Samples at full scale that no window before has had.
        steps: Steps from its start to that of the next window.
        ends_in_pause: Whether the next window does not overlap with it. Between the two
            is the middle of the pause, which no window has.
    """

    start: int
    wave: np.ndarray
    is_last: bool
    clipped: int
    steps: int
    ends_in_pause: bool


class Recording:
    """A sound file that is read part by part.

    What libsndfile reads is decoded as it is needed: WAV, FLAC, OGG, MP3. Of other
    files, such as clips, the sound is decoded at once, a quarter of an hour of stereo
    at most.

    Args:
        path: The file.

    Attributes:
        rate: Samples per second.
        channels: Number of channels.

    Raises:
        ValueError: If there is no such file, or it cannot be decoded.
    """

    _FULL_SCALE = 0.999

    def __init__(self, path: str | os.PathLike):
        import soundfile

        self.path = pathlib.Path(path)
        if not self.path.is_file():
            raise ValueError(f"Expected a sound file. There is no file `{path}`.")
        try:
            self._file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            self._file = self._decode(error.error_string)
        self.rate, self.channels = self._file.samplerate, self._file.channels

    def _decode(self, why):
        import soundfile

        try:
            data = sound.to_wav(self.path.read_bytes())
            return soundfile.SoundFile(io.BytesIO(data))
        except (ValueError, soundfile.LibsndfileError) as error:
            why = str(error) if isinstance(error, ValueError) else why
            raise ValueError(f"`{self.path}` cannot be decoded: {why}.") from None

    def windows(self, step: float, length: int, hop: int) -> Iterator[SoundWindow]:
        """The windows, in order, all of whole steps but the last.

        A window ends in the longest pause of its second half, as the recordings end
        that a recognizer learns from. Where there is none, it has its full length and
        overlaps with the next one.

        Args:
            step: Seconds of a step.
            length: Steps of a window, at most.
            hop: Steps between the starts of two that overlap.

        Raises:
            ValueError: If there is no sample, or some are not finite numbers.
        """
        if not 0 < hop <= length:
            raise ValueError(
                f"Expected 0 < hop <= length. Received: length={length}, hop={hop}."
            )
        size = max(1, round(length * step * self.rate))
        ahead = math.ceil(_PAUSE / step)  # steps; to see how long a pause is
        known = size + round(ahead * step * self.rate)
        kept, start, position = np.zeros(0, "float32"), 0, 0
        while True:
            wanted = known - len(kept)
            fresh = self._read(wanted, start + len(kept))
            clipped = int((np.abs(fresh) >= self._FULL_SCALE).any(axis=1).sum())
            kept = np.concatenate([kept, fresh.mean(axis=1, dtype="float32")])
            all_read = len(fresh) < wanted or self._at_end()
            is_last = all_read and len(kept) <= size
            if start == 0 and not len(kept):
                raise ValueError(f"`{self.path}` has no sample.")
            pause = None if is_last else _find_pause(kept, step, self.rate, length)
            end, steps = pause or (length, hop)
            wave = kept[: min(size, round((position + end) * step * self.rate) - start)]
            yield SoundWindow(start, wave, is_last, clipped, steps, pause is not None)
            if is_last:
                return
            position += steps
            # From the position, so that rounding errors do not add up over hours.
            following = round(position * step * self.rate)
            kept, start = kept[following - start :], following

    def _read(self, wanted, position):
        """The next samples, `(samples, channels)`."""
        import soundfile

        try:
            fresh = self._file.read(wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            why = error.error_string
            raise ValueError(f"`{self.path}` cannot be decoded: {why}.") from None
        bad = np.flatnonzero(~np.isfinite(fresh).all(axis=1))
        if len(bad):
            at = (position + int(bad[0])) / self.rate
            raise ValueError(
                f"Expected samples that are finite numbers in `{self.path}`. Received: "
                f"{len(bad)} that are not, the first after {at:.3f} s."
            )
        return fresh

    def _at_end(self):
        return self._file.tell() >= self._file.frames

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _find_pause(wave, step, rate, length):
    """Where to stop in the longest pause of the second half, and where to continue.

    Steps, a little after it begins and a little before it ends; None without a pause.
    What comes after `length` steps says how long a pause is.
    """
    parts = np.array_split(wave, max(1, round(len(wave) / (step * rate))))
    level = np.sqrt([np.square(part).mean() for part in parts])
    low, high = np.quantile(level, [0.1, 0.9])
    if high <= _LOUDER * low:
        return None  # no pause, or nothing else
    quiet = level <= low + _QUIET * (high - low)
    runs = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    edge = math.ceil(_EDGE / step)
    is_pause = (runs[:, 1] - runs[:, 0]) * step >= _PAUSE - 1e-6
    runs = runs[is_pause & (runs[:, 0] + edge <= length) & (runs[:, 1] > length // 2)]
    if not len(runs):
        return None
    begin, end = map(int, runs[(runs[:, 1] - runs[:, 0]).argmax()])
    edge = min(edge, (end - begin) // 2)
    return begin + edge, end - edge
