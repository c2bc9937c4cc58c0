"""Clips by PyAV: frames by their time, and the sound track beside them."""

import contextlib
import fractions
import io

import numpy as np

# What FFmpeg is told a file is. Left to guess, it would take a playlist for one, and
# open what that names.
_FORMATS = {
    b"RIFF": "avi",
    b"\x1aE\xdf\xa3": "matroska",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x00\x00\x01\xb3": "mpegvideo",
    b"GIF8": "gif",
    b"OggS": "ogg",
    b"FLV\x01": "flv",
}
_WITHOUT_LENGTH = ("mpeg", "mpegts", "mpegvideo")  # formats whose header has none


def format_of(head):
    """What kind of clip a file is, as FFmpeg calls it, None if it is none.

    Args:
        head: Its first 189 bytes or more.
    """
    if head[4:8] == b"ftyp":
        return "mov"  # and MP4
    if head[:4] == b"RIFF" and head[8:12] != b"AVI ":
        return None
    if head[:1] == b"G" and head[188:189] == b"G":
        return "mpegts"
    return _FORMATS.get(head[:4])


def frames(data, wanted):
    """Frames of a clip, evenly over its time.

    Frame i is the one that is shown at (i + 1/2) / num_frames of the time, counted
    from where the clip begins, its sound included.

    Args:
        data: The bytes of the clip; NPY bytes, which are frames already, come back as
            they are.
        wanted: What says how many: `num_frames`, `size` and `seconds` (None for the
            whole clip), `max_pixels` and `max_seconds`, such as
            `mbm_keras.preprocessing.Frames`.

    Returns:
        NPY bytes of `(num_frames, size, size, 3)` uint8; zeros behind the end of the
        clip.

    Raises:
        ValueError: If it cannot be decoded, ends before it says, or promises more
            than is allowed.
    """
    if data.startswith(b"\x93NUMPY"):
        return data
    reformatter = _av().video.reformatter.VideoReformatter()
    to = dict(width=wanted.size, height=wanted.size, format="rgb24")

    def whole(frame):
        return reformatter.reformat(frame, interpolation="AREA", **to).to_ndarray()

    def evenly(told):
        seconds = told if wanted.seconds is None else wanted.seconds
        if seconds is None or seconds > wanted.max_seconds:
            raise ValueError(
                f"more seconds than allowed: {seconds}, not {wanted.max_seconds}"
            )
        return (np.arange(wanted.num_frames) + 0.5) * seconds / wanted.num_frames

    shape = (wanted.size, wanted.size, 3)
    return npy_of(_frames(data, wanted.max_pixels, evenly, whole, shape))


def crops(data, times, boxes, size, max_pixels=9_000_000):
    """Parts of the frames of a clip, such as the faces in it, read once for all.

    Args:
        data: The bytes of the clip.
        times: Seconds from where the clip begins, rising: the frames shown then.
        boxes: A list of (top, left, bottom, right), as shares of height and width.
        size: Height and width of the output, in pixels.
        max_pixels: The most that a frame may have.

    Returns:
        `(boxes, times, size, size, 3)` uint8; zeros behind the end of the clip.

    Raises:
        ValueError: If it cannot be decoded, ends before it says, has more pixels than
            allowed, or a box is empty or leaves the picture.
    """
    from PIL import Image

    for top, left, bottom, right in boxes:
        if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
            raise ValueError(
                "a box is top, left, bottom, right, shares of the picture from 0 to "
                f"1. Received: {(top, left, bottom, right)}"
            )

    def parts(frame):
        picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
        width, height = picture.size
        cut = [
            (b[1] * width, b[0] * height, b[3] * width, b[2] * height) for b in boxes
        ]
        area = Image.Resampling.BOX
        return np.stack([picture.resize((size, size), area, place) for place in cut])

    shape = (len(boxes), size, size, 3)
    made = _frames(data, max_pixels, lambda told: np.asarray(times), parts, shape)
    return np.swapaxes(made, 0, 1)


def _frames(data, max_pixels, times_of, draw, shape):
    """`(times, *shape)` uint8, what `draw` makes of the frames that are shown."""
    with _opened(data) as clip:
        video = next(_known(clip.streams.video), None)
        if video is None:
            raise ValueError("there is no picture in the clip of a coding that is read")
        pixels = video.width * video.height
        if pixels > max_pixels:
            raise ValueError(
                f"more pixels than allowed: {pixels} a frame, not {max_pixels}"
            )
        begin, told = _begin(clip), _seconds(data, clip, video)
        return _shown(clip, video, begin, told, times_of(told), draw, shape)


def probe(data):
    """What the header of a clip tells.

    Returns:
        A dict: `seconds`, None if it does not tell; `side`, the mean of height and
        width in pixels, None if there is no picture; and the `rate` of the sound in
        hertz, None if there is none.

    Raises:
        ValueError: If it cannot be read.
    """
    with _opened(data) as clip:
        video = next(_known(clip.streams.video), None)
        track = next(_known(clip.streams.audio), None)
        stream = video or track
        return {
            "seconds": None if stream is None else _seconds(data, clip, stream),
            "side": None if video is None else (video.width + video.height) / 2,
            "rate": None if track is None else track.rate,
        }


def sound(data, most_samples):
    """The sound track of a clip, in step with its frames.

    Args:
        data: The bytes of the clip.
        most_samples: The most that it may have, of all channels together.

    Returns:
        WAV bytes of 32-bit float that begin where the clip does; `b""` if it has no
        sound.

    Raises:
        ValueError: If it cannot be decoded, or promises more than is allowed.
    """
    av = _av()
    with _opened(data) as clip:
        if not clip.streams.audio:
            return b""
        track = next(_known(clip.streams.audio), None)
        if track is None:
            raise ValueError("its sound is of a coding that is not read")
        rate, channels = track.rate, track.channels
        seconds = _seconds(data, clip, track) or 0
        if seconds * rate * channels > most_samples:
            raise ValueError(
                f"more sound than allowed: {seconds:.0f} seconds at {rate} hertz"
            )
        resampler = av.AudioResampler("flt", track.layout, rate)
        parts, begin, size = [], _begin(clip), 0
        for frame in clip.decode(track):
            if not parts and frame.time is not None:
                late = max(0, round((frame.time - begin) * rate))
                if late * channels > most_samples:
                    raise ValueError(f"its sound begins after {frame.time:.0f} seconds")
                parts.append(np.zeros((late, channels), "float32"))
            for made in resampler.resample(frame):
                parts.append(made.to_ndarray().reshape(-1, channels))
                size += parts[-1].size
            if size > most_samples:
                raise ValueError(f"more sound than allowed: over {most_samples}")
    if not size:
        raise ValueError("its sound track is empty")
    return wav_of(np.concatenate(parts), rate)


def wav_of(wave, rate):
    """WAV bytes of 32-bit float.

    Args:
        wave: `(samples, channels)` float32.
        rate: In hertz.
    """
    import soundfile

    wav = io.BytesIO()
    soundfile.write(wav, wave, rate, format="WAV", subtype="FLOAT")
    return wav.getvalue()


def npy_of(array):
    """NPY bytes of an array, as `Frames` and `Faces` read them."""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    return data.getvalue()


def _av():
    try:
        import av
        import av.video.reformatter
    except ImportError:
        raise ImportError(
            "Clips are read by PyAV: `pip install 'mbm-keras[video]'`."
        ) from None
    return av


@contextlib.contextmanager
def _opened(data):
    av = _av()
    kind = format_of(data[:256])
    if kind is None:
        raise ValueError("it is no clip of a kind that is read")
    try:
        with av.open(io.BytesIO(data), format=kind) as clip:
            yield clip
    except av.FFmpegError as error:
        raise ValueError(f"cannot be decoded: {error.strerror}") from None


def _known(streams):
    """Streams of a coding that FFmpeg knows."""
    return (stream for stream in streams if stream.codec_context is not None)


def _begin(clip):
    return (clip.start_time or 0) / 1_000_000


def _seconds(data, clip, stream):
    """Length of a stream in seconds, None if nothing tells it."""
    if clip.format.name in _WITHOUT_LENGTH:
        return _seconds_of_packets(data, stream)
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None if clip.duration is None else clip.duration / 1_000_000


def _seconds_of_packets(data, stream):
    """What FFmpeg tells of these is a guess; the packets say it, without decoding."""
    with _opened(data) as clip:
        packets = clip.demux(clip.streams[stream.index])
        times = [
            (p.pts, p.pts + (p.duration or 0)) for p in packets if p.pts is not None
        ]
    if not times:
        return None
    return float(
        (max(t[1] for t in times) - min(t[0] for t in times)) * stream.time_base
    )


def _shown(clip, video, begin, told, times, draw, shape):
    """What `draw` makes of the frames that are shown at some times, in order."""
    made = np.zeros((len(times), *shape), np.uint8)
    period = float(1 / (video.average_rate or fractions.Fraction(25)))
    done, last, end = 0, None, 0.0

    def put(until):
        nonlocal done
        stop = int(np.searchsorted(times, until))
        if stop > done and last is not None:
            made[done:stop] = draw(last)
        done = max(done, stop)

    for frame in clip.decode(video):
        if frame.is_corrupt:
            raise ValueError(f"a frame is corrupt, {end:.2f} seconds from the start")
        time = end if frame.time is None else frame.time - begin
        put(time)
        last, end = frame, time + period
        if done == len(times):
            return made
    if last is None:
        raise ValueError("there is no whole frame in the clip")
    # The last frames may be told a little longer than they are.
    if told is not None and end + 2 * period < min(told, float(times[-1])):
        raise ValueError(f"ends after {end:.2f} of {told:.2f} seconds")
    put(max(end, told or 0.0) + 1e-9)
    return made
