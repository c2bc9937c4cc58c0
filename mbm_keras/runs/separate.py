"""The sounds of a clip's speakers, by a separator that was exported."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from data_pipelines import files
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow

Box = tuple[float, float, float, float]

_MAX_SECONDS = 600
_MAX_SAMPLES = 2 * 48_000 * _MAX_SECONDS  # of all channels together
_FULL_SCALE = 0.999  # a sample beyond it is clipped


def separate(
    clip: str | os.PathLike,
    model: str | os.PathLike,
    out: str | os.PathLike = "separated",
    boxes: Sequence[Box] = (),
) -> dict[str, Any]:
    """Writes one WAV per speaker of a clip, and a figure of the spectrograms.

    A clip of any length is separated in windows that overlap by half.

    Args:
        clip: A clip, or a sound file for a model that only listens.
        model: Folder of a separator that `mbm_keras.export.save` wrote: a model with
            one `Waveform`, perhaps one `Faces`, and an output of `Sounds`.
        out: Folder to write, new or empty.
        boxes: Where the face or mouth of each speaker is: (top, left, bottom, right) in
            [0, 1] of height and width. Empty for the whole frame and one speaker.

    Returns:
        A dict: `out`; `speakers` (paths of the WAV files); `figure`; `sound_seconds`;
        `video_seconds`; `windows`; `silent`; `clipped_samples`; `warnings`, a list of
        sentences; `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If a file does not exist or cannot be decoded, the folder is not
            empty, the model is not a separator, or the boxes do not fit the model.
    """
    clock = Clock()
    clip, model = pathlib.Path(clip), pathlib.Path(model)
    if not clip.is_file():
        raise ValueError(f"Expected a clip or a sound file. There is no file `{clip}`.")
    if not files.is_unfinished(out):
        run_folder.check_free(out)
    load_tensorflow()
    import numpy as np

    from data_pipelines.recordings import overlap_add

    separator = _load_separator(model)
    sound, faces = separator.sound, separator.faces
    boxes = _check_boxes(boxes, faces)
    data = clip.read_bytes()
    try:
        wave, video_seconds = _read_sound(data, sound.sample_rate)
        hop = max(1, sound.samples // 2)
        windows = overlap_add.split(wave, sound.samples, hop)
        starts = np.arange(len(windows)) * hop / sound.sample_rate
        frames = _crop_faces(data, boxes, separator, starts)
        parts = [
            _separate_window(separator, window, frame)
            for window, frame in zip(windows, frames, strict=True)
        ]
    except ValueError as error:
        raise ValueError(f"`{clip}`: {error}") from None
    sounds = overlap_add.join(np.stack(parts), hop, len(wave), any_order=faces is None)
    paths, figure = _write(pathlib.Path(out), wave, sounds, sound.sample_rate)
    seconds = len(wave) / sound.sample_rate
    silent, clipped = not wave.any(), int(np.sum(np.abs(wave) >= _FULL_SCALE))
    return {
        "out": str(out),
        "speakers": paths,
        "figure": figure,
        "sound_seconds": round(seconds, 3),
        "video_seconds": video_seconds,
        "windows": len(windows),
        "silent": silent,
        "clipped_samples": clipped,
        "warnings": _warnings(
            silent, clipped, seconds, seconds if faces is None else video_seconds
        ),
        **clock.seconds(),
    }


@dataclasses.dataclass(frozen=True)
class _Separator:
    """A served separator, the preprocessors of its inputs, and their columns."""

    served: Any
    sound: Any
    faces: Any
    sound_column: str
    faces_column: str | None


def _load_separator(folder):
    import tensorflow as tf

    from mbm_keras.preprocessing import Faces
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Waveform

    path = folder / "assets.extra" / "features.json"
    by_name = Features.load(path).by_name if path.is_file() else {}
    sounds = [name for name, f in by_name.items() if isinstance(f, Waveform)]
    faces = [name for name, f in by_name.items() if isinstance(f, Faces)]
    if len(sounds) != 1 or len(faces) > 1 or len(by_name) != len(sounds) + len(faces):
        received = {name: type(f).__name__ for name, f in by_name.items()}
        raise ValueError(
            f"`{folder}` is not a separator that `export.save` wrote: expected one "
            f"`Waveform` and at most one `Faces`. Received: inputs={received}."
        )
    return _Separator(
        served=tf.saved_model.load(str(folder)),
        sound=by_name[sounds[0]],
        faces=by_name[faces[0]] if faces else None,
        sound_column=sounds[0],
        faces_column=faces[0] if faces else None,
    )


def _check_boxes(boxes, faces):
    """The boxes of the speakers, the whole frame where there is one without a box."""
    if faces is None:
        if boxes:
            raise ValueError(
                f"This model only listens: pass no --box. Received: {len(boxes)} boxes."
            )
        return ()
    if not boxes and faces.speakers == 1:
        return ((0.0, 0.0, 1.0, 1.0),)
    if len(boxes) != faces.speakers:
        raise ValueError(
            f"This model separates {faces.speakers} speakers: pass --box "
            f"{faces.speakers} times, once per speaker. Received: {len(boxes)} boxes."
        )
    return tuple(boxes)


def _read_sound(data, sample_rate):
    """The sound of a clip, mono `(samples,)`, and the seconds of its video."""
    import numpy as np
    import soundfile

    from data_pipelines.formats import kinds
    from data_pipelines.formats import video
    from data_pipelines.formats.sound import soundtrack
    from mbm_keras.preprocessing.resampling import resample

    video_seconds = 0.0
    if kinds.container_of(data[: kinds.HEAD]) is not None:
        video_seconds = video.probe(data)["seconds"] or 0.0
        data = soundtrack(data, _MAX_SAMPLES)
        if not data:
            raise ValueError("the clip has no sound")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames * file.channels > _MAX_SAMPLES:
                raise ValueError(f"the sound is longer than {_MAX_SECONDS} seconds")
            wave = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError(f"the sound cannot be decoded: {error}") from None
    if not len(wave):
        raise ValueError("the sound has no samples")
    if rate != sample_rate:
        wave = np.asarray(resample(wave, rate, sample_rate))
    return wave, video_seconds


def _crop_faces(data, boxes, separator, starts):
    """NPY bytes per window: frames of every speaker at the times the model expects.

    None per window for a model that only listens.
    """
    import numpy as np

    from data_pipelines.formats import video
    from data_pipelines.formats.encode import npy_bytes

    faces = separator.faces
    if faces is None:
        return [None] * len(starts)
    step = separator.sound.seconds / faces.num_frames
    times = starts[:, None] + (np.arange(faces.num_frames) + 0.5) * step
    # Windows overlap: each frame is decoded once. (windows, num_frames)
    times, index = np.unique(np.round(times, 6), return_inverse=True)
    index = index.reshape(len(starts), -1)
    # (speakers, times, size, size, 3)
    crops = video.crops(data, times, boxes, faces.size, faces.max_pixels)
    shape = (-1, faces.size, faces.size, 3)
    return [npy_bytes(crops[:, i].reshape(shape)) for i in index]


def _separate_window(separator, window, frames):
    """The sounds of one window, `(sounds, samples)`. Memory does not grow with it."""
    import tensorflow as tf

    from data_pipelines.formats.encode import wav_bytes

    wav = wav_bytes(window[:, None], separator.sound.sample_rate)
    row = {separator.sound_column: tf.constant([wav])}
    if frames is not None:
        row[separator.faces_column] = tf.constant([frames])
    answers = separator.served.serve(row)
    if not answers["answered"][0]:
        raise ValueError("a window cannot be decoded")
    (waves,) = (
        value
        for name, value in answers.items()
        if name.endswith("_waves") and not name.startswith("status_")
    )
    return waves[0].numpy()


def _write(folder, wave, sounds, sample_rate):
    """Paths of the WAV files, and of the figure."""
    import numpy as np
    import soundfile

    from mbm_keras.evaluation import plots

    names = [f"speaker_{i + 1}.wav" for i in range(len(sounds))]
    with files.fill(folder, last="separation.png") as new:
        for name, each in zip(names, sounds, strict=True):
            data = io.BytesIO()  # soundfile does not say that the disk is full
            soundfile.write(data, np.clip(each, -1, 1), sample_rate, format="WAV")
            files.write(new / name, data.getbuffer())
        figure = plots.separation(wave, sounds, sample_rate)
        figure.savefig(new / "separation.png", dpi=110)
    return [str(folder / name) for name in names], str(folder / "separation.png")


def _warnings(silent, clipped, seconds, video_seconds):
    """What a person should know about the clip, one sentence each."""
    warnings = []
    if silent:
        warnings.append("The clip is silent, and so are the separated sounds.")
    if clipped:
        warnings.append(f"The clip is clipped: {clipped} samples are at full scale.")
    if video_seconds < seconds - 0.1:
        warnings.append(
            f"The video ends before the audio, after {video_seconds:.2f} s: after that "
            "the model sees no faces."
        )
    return warnings
