"""Overlapping windows of a sound file of any length, in memory that does not grow."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_pipelines.formats import sound


@dataclasses.dataclass(frozen=True)
class SoundWindow:
    """A part of a recording.

    Args:
        start: Its first sample, at the rate of the recording.
        wave: `(samples,)` float32, the mean of the channels.
        is_last: Whether the recording ends with it.
        clipped: Samples at full scale that no window before has had.
    """

    start: int
    wave: np.ndarray
    is_last: bool
    clipped: int


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

    def windows(self, seconds: float, hop: float) -> Iterator[SoundWindow]:
        """The windows, in order. The last one may be shorter.

        Args:
            seconds: Length of a window.
            hop: Distance between the starts of two.

        Raises:
            ValueError: If there is no sample, or some are not finite numbers.
        """
        if not 0 < hop <= seconds:
            raise ValueError(
                f"Expected 0 < hop <= seconds. Received: seconds={seconds}, hop={hop}."
            )
        size = max(1, round(seconds * self.rate))
        kept, start, number = np.zeros(0, "float32"), 0, 0
        while True:
            wanted = start + size - (start + len(kept))
            fresh = self._read(wanted, start + len(kept))
            clipped = int((np.abs(fresh) >= self._FULL_SCALE).any(axis=1).sum())
            kept = np.concatenate([kept, fresh.mean(axis=1, dtype="float32")])
            is_last = len(fresh) < wanted or self._at_end()
            if start == 0 and not len(kept):
                raise ValueError(f"`{self.path}` has no sample.")
            yield SoundWindow(start, kept, is_last, clipped)
            if is_last:
                return
            number += 1
            # From the number, so that rounding errors do not add up over hours.
            following = round(number * hop * self.rate)
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
