"""Frames and sound to the bytes of a clip."""

import io

import numpy as np

from data_pipelines.formats import clip as clips


def clip_bytes(
    frames: np.ndarray, rate: int, wave: np.ndarray | None, sample_rate: int = 16_000
) -> bytes:
    """Encodes a clip as AVI: motion JPEG, and samples of 16 bits.

    Both start at once and nothing is compressed in time, so that a frame and a sample
    keep their moments.

    Args:
        frames: `(n, height, width, 3)` uint8 in [0, 255], even height and width.
        rate: Frames per second.
        wave: `(samples,)`, in [-1, 1]; None for no sound.
        sample_rate: Rate of the samples in hertz.

    Raises:
        ImportError: If PyAV is not installed.
        ValueError: If the frames have another shape or an odd size.
    """
    frames = np.asarray(frames)
    shape = frames.shape
    if len(shape) != 4 or shape[3] != 3 or shape[1] % 2 or shape[2] % 2:
        raise ValueError(
            "Expected frames (n, height, width, 3) with an even height and width. "
            f"Received: shape={shape}."
        )
    av, data = clips.import_av(), io.BytesIO()
    with av.open(data, "w", format="avi") as clip:
        video = clip.add_stream("mjpeg", rate=rate)
        video.height, video.width = shape[1:3]
        video.pix_fmt, video.bit_rate = "yuvj444p", 8 * frames[0].size * rate
        sound = None
        if wave is not None:
            sound = clip.add_stream("pcm_s16le", rate=sample_rate, layout="mono")
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.pts = i
            clip.mux(video.encode(frame))
        clip.mux(video.encode(None))
        if sound is not None and wave is not None:
            samples = np.round(np.clip(wave, -1, 1) * 32_767).astype("<i2")[None]
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts = sample_rate, 0
            clip.mux(sound.encode(frame))
            clip.mux(sound.encode(None))
    return data.getvalue()
