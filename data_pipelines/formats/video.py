"""Clips: what their header says, and their frames by time."""

import fractions
from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol
from typing import TypedDict

import numpy as np

from data_pipelines.formats import clip as clips
from data_pipelines.formats.encode import npy_bytes

_FRAMES, _MAX_RATE = 1_000, 240  # of a clip at most: so many, and as many a second


class ClipInfo(TypedDict):
    """What the header of a clip says.

    Args:
        seconds: Length; None if it is unknown.
        side: Mean of height and width in pixels; None for a clip without frames.
        rate: Sample rate of the sound track in hertz; None for a clip without sound.
    """

    seconds: float | None
    side: float | None
    rate: int | None


def probe(data: bytes) -> ClipInfo:
    """Reads the header of a clip, without decoding it.

    Raises:
        ValueError: If the bytes are not a clip that can be read.
    """
    with clips.open_clip(data) as clip:
        video = clips.first_stream(clip.streams.video)
        track = clips.first_stream(clip.streams.audio)
        stream = video or track
        return {
            "seconds": None if stream is None else clips.seconds_of(data, clip, stream),
            "side": None if video is None else (video.width + video.height) / 2,
            "rate": None if track is None else track.rate,
        }


class FrameSpec(Protocol):
    """Which frames are wanted, such as `mbm_keras.preprocessing.Frames`.

    Args:
        num_frames: Number of frames.
        size: Height and width in pixels.
        seconds: Time from which they are taken; None for the whole clip.
        max_pixels: Maximum pixels of a frame in the file.
        max_seconds: Maximum of `seconds`.
    """

    num_frames: int
    size: int
    seconds: float | None
    max_pixels: int
    max_seconds: float


def frames(data: bytes, spec: FrameSpec) -> bytes:
    """Frames of a clip at even distances in time.

    Frame `i` is the one that is shown at `(i + 1/2) / num_frames` of the time, counted
    from the start of the clip, its sound included.

    Args:
        data: The bytes of the clip. NPY bytes are frames already and are returned
            unchanged.
        spec: Which frames.

    Returns:
        NPY bytes of `(num_frames, size, size, 3)` uint8 in [0, 255]; zeros after the
        end of the clip.

    Raises:
        ValueError: If the clip cannot be decoded, ends before the length in its header,
            or is larger or longer than allowed.
    """
    if data.startswith(b"\x93NUMPY"):
        return data
    reformatter = clips.import_av().video.reformatter.VideoReformatter()
    to = dict(width=spec.size, height=spec.size, format="rgb24")

    def resize(frame):
        array = reformatter.reformat(frame, interpolation="AREA", **to).to_ndarray()
        return _turn_upright(array, frame)

    def times(length):
        seconds = length if spec.seconds is None else spec.seconds
        if seconds is None or seconds > spec.max_seconds:
            raise ValueError(
                f"more seconds than allowed: {seconds}, not {spec.max_seconds}"
            )
        return (np.arange(spec.num_frames) + 0.5) * seconds / spec.num_frames

    shape = (spec.size, spec.size, 3)
    return npy_bytes(_decode_frames(data, spec.max_pixels, times, resize, shape))


def crops(
    data: bytes,
    times: np.ndarray,
    boxes: Sequence[tuple[float, float, float, float]],
    size: int,
    max_pixels: int = 9_000_000,
) -> np.ndarray:
    """Regions of the frames of a clip, such as its faces. The clip is decoded once.

    Args:
        data: The bytes of the clip.
        times: `(n,)` seconds from the start of the clip, rising: the frames shown then.
        boxes: Regions as (top, left, bottom, right), in [0, 1] of height and width.
        size: Height and width of the output, in pixels.
        max_pixels: Maximum pixels of a frame in the file.

    Returns:
        `(boxes, times, size, size, 3)` uint8 in [0, 255]; zeros after the end of the
        clip.

    Raises:
        ValueError: If the clip cannot be decoded, ends before the length in its header,
            has more pixels than allowed, or a box is empty or leaves the frame.
    """
    from PIL import Image

    _check_boxes(boxes)

    def crop(frame):
        pixels = _turn_upright(frame.to_ndarray(format="rgb24"), frame)
        image = Image.fromarray(pixels)
        width, height = image.size
        corners = [
            (left * width, top * height, right * width, bottom * height)
            for top, left, bottom, right in boxes
        ]
        area = Image.Resampling.BOX
        return np.stack([image.resize((size, size), area, box) for box in corners])

    shape = (len(boxes), size, size, 3)
    regions = _decode_frames(
        data, max_pixels, lambda length: np.asarray(times), crop, shape
    )
    return np.swapaxes(regions, 0, 1)


def _check_boxes(boxes):
    for box in boxes:
        top, left, bottom, right = box
        if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
            raise ValueError(
                "Expected boxes as (top, left, bottom, right) with 0 <= top < bottom "
                f"<= 1 and 0 <= left < right <= 1. Received: {box}."
            )


def _decode_frames(data, max_pixels, times_of, convert, shape):
    """`(times, *shape)` uint8: `convert` of the frame shown at each time."""
    with clips.open_clip(data) as clip:
        video = clips.first_stream(clip.streams.video)
        if video is None:
            raise ValueError("the clip has no frames in a known codec")
        length = clips.seconds_of(data, clip, video)
        times = times_of(length)
        frames = _decode_all(clip, video, max_pixels, times)
        return _frames_at(clip, video, length, times, frames, convert, shape)


def _decode_all(clip, video, max_pixels, times):
    """The frames of a clip, as far as they are not too many or too large."""
    _check_pixels(video, max_pixels)
    most = _FRAMES + _MAX_RATE * (times[-1] if len(times) else 0)
    for number, frame in enumerate(clip.decode(video)):
        if number > most:
            raise ValueError(f"more frames than allowed: {number} of {times[-1]:.0f} s")
        _check_pixels(frame, max_pixels)  # it may differ from the header
        if frame.is_corrupt:
            raise ValueError(f"frame {number} is corrupt")
        yield frame


def _check_pixels(sized, max_pixels):
    pixels = sized.width * sized.height
    if pixels > max_pixels:
        raise ValueError(
            f"more pixels than allowed: {pixels} a frame, not {max_pixels}"
        )


def _turn_upright(pixels, frame):
    """A frame as it is to be shown: telephones write how it is to be turned."""
    return np.rot90(pixels, round(frame.rotation / 90))


def _frames_at(clip, video, length, times, frames, convert: Callable, shape):
    """Converts the frames that are shown at the times."""
    output = np.zeros((len(times), *shape), np.uint8)
    period = float(1 / (video.average_rate or fractions.Fraction(25)))
    start = clips.start_of(clip)
    done, last, end = 0, None, 0.0

    def show_last(until):
        nonlocal done
        stop = int(np.searchsorted(times, until))
        if stop > done and last is not None:
            output[done:stop] = convert(last)
        done = max(done, stop)

    for frame in frames:
        time = end if frame.time is None else frame.time - start
        show_last(time)
        last, end = frame, time + period
        if done == len(times):
            return output
    if last is None:
        raise ValueError("the clip has no whole frame")
    # The header may count the last frames a little longer than they are.
    if length is not None and end + 2 * period < min(length, float(times[-1])):
        raise ValueError(f"ends after {end:.2f} of {length:.2f} seconds")
    show_last(max(end, length or 0.0) + 1e-9)
    return output
