"""`mbm separate`: a clip to one sound per speaker."""

import pathlib
from typing import Annotated

import typer

from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import runtime

_MOST_SECONDS = 600
_MOST_SAMPLES = 2 * 48_000 * _MOST_SECONDS  # of all channels


def separate(
    clip: Annotated[str, typer.Argument(help="A clip, or a sound file.")],
    model: Annotated[
        str, typer.Option(help="Folder of a separator, as `export.save` wrote it.")
    ],
    out: Annotated[str, typer.Option(help="Folder to write.")] = "separated",
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOP,LEFT,BOTTOM,RIGHT",
            help="Where a speaker's face or mouth is, as shares of the picture; once "
            "per speaker. Without it the whole picture is the one speaker.",
        ),
    ] = None,
    json: options.Json = False,
):
    """Write one WAV per speaker of a clip, and a picture of how it was parted."""
    with reporting(json) as result:
        boxes = [_box(text) for text in box or ()]
        for path, there in ((clip, "is_file"), (model, "is_dir")):
            if not getattr(pathlib.Path(path), there)():
                raise ValueError(f"`{path}` is not there.")
        run_folder.check_free(out)
        result(*separated(clip, model, out, boxes))


def separated(clip, model, out, boxes=()):
    """What `mbm separate` does: the result, and the lines a person reads."""
    clock = runtime.Clock()
    runtime.load_tensorflow()
    import numpy as np
    import soundfile
    import tensorflow as tf

    from data_pipelines.formats.encode import wav_bytes
    from data_pipelines.recordings import overlap_add
    from mbm_keras.evaluation import plots

    served, features = _loaded(model)
    sound = features.by_name["mixture"]
    faces = features.by_name.get("faces")
    data = pathlib.Path(clip).read_bytes()
    wave, seconds = _sound(clip, data, sound.sample_rate)

    hop = max(1, sound.samples // 2)
    mixtures = overlap_add.split(wave, sound.samples, hop)
    asked = {"mixture": [wav_bytes(w[:, None], sound.sample_rate) for w in mixtures]}
    if faces is not None:
        starts = np.arange(len(mixtures)) * hop / sound.sample_rate
        asked["faces"] = _seen(clip, data, boxes, faces, starts, sound.seconds)
    elif boxes:
        raise ValueError(f"`{model}` listens alone and takes no --box.")
    given = []
    for i in range(len(mixtures)):  # a window at a time: memory does not grow
        row = {name: tf.constant(values[i : i + 1]) for name, values in asked.items()}
        answers = served.serve(row)
        if not answers["answered"]:
            raise ValueError(f"`{clip}`: window {i + 1} cannot be decoded.")
        given.append(answers["speakers_waves"][0].numpy())
    sounds = overlap_add.join(np.stack(given), hop, len(wave), any_order=faces is None)

    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"speaker_{i + 1}.wav" for i in range(len(sounds))]
    for path, each in zip(paths, sounds, strict=True):
        soundfile.write(path, np.clip(each, -1, 1), sound.sample_rate)
    figure = plots.separation(wave, sounds, sound.sample_rate)
    figure.savefig(folder / "separation.png", dpi=110)
    clipped = int(np.sum(np.abs(wave) >= 0.999))
    summary = {
        "speakers": [str(path) for path in paths],
        "picture": str(folder / "separation.png"),
        "sound_seconds": round(len(wave) / sound.sample_rate, 3),
        "picture_seconds": seconds,
        "windows": len(mixtures),
        "silent": not wave.any(),
        "clipped_samples": clipped,
        **clock.seconds(),
    }
    lines = [f"{len(paths)} sounds of {len(wave) / sound.sample_rate:.2f} s in {out}"]
    if clipped:
        lines.append(f"{clipped} samples of the clip are at full scale: it is clipped")
    if summary["silent"]:
        lines.append("the clip is silent, and so are all of them")
    if faces is not None and seconds < len(wave) / sound.sample_rate - 0.1:
        lines.append(f"the picture ends after {seconds:.2f} s; nobody is seen then")
    return summary, lines


def _box(text):
    try:
        top, left, bottom, right = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"--box takes four numbers, TOP,LEFT,BOTTOM,RIGHT. Received: {text!r}."
        ) from None
    return top, left, bottom, right


def _loaded(folder):
    """A separator as it is served, and what its raw columns are decoded to."""
    import tensorflow as tf

    from mbm_keras.preprocessing import Faces
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Waveform

    told = pathlib.Path(folder) / "assets.extra" / "features.json"
    kinds = {"mixture": Waveform, "faces": Faces}
    features = Features.load(told) if told.is_file() else Features()
    if "mixture" not in features.by_name or any(
        not isinstance(f, kinds.get(name, ())) for name, f in features.by_name.items()
    ):
        raise ValueError(
            f"`{folder}` is no separator: `export.save` writes one, `mixture` being a "
            "`Waveform`, and `faces`, where it looks, `Faces`."
        )
    return tf.saved_model.load(str(folder)), features


def _sound(clip, data, sample_rate):
    """The sound of a clip, one channel, and the seconds of its picture."""
    import io

    import numpy as np
    import soundfile

    from data_pipelines.formats import kinds
    from data_pipelines.formats import video
    from data_pipelines.formats.sound import soundtrack
    from mbm_keras.preprocessing.wav import resample

    try:
        seconds = 0.0
        if kinds.container_of(data[: kinds.HEAD]) is not None:
            seconds = video.probe(data)["seconds"] or 0.0
            data = soundtrack(data, _MOST_SAMPLES)
            if not data:
                raise ValueError("there is no sound in the clip")
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames * file.channels > _MOST_SAMPLES:
                raise ValueError(f"it is longer than {_MOST_SECONDS} seconds")
            wave = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (ValueError, soundfile.LibsndfileError) as error:
        raise ValueError(f"`{clip}`: {error}") from None
    if not len(wave):
        raise ValueError(f"`{clip}`: its sound is empty")
    if rate != sample_rate:
        wave = np.asarray(resample(wave, rate, sample_rate))
    return wave, seconds


def _seen(clip, data, boxes, faces, starts, seconds):
    """NPY bytes per window: the frames of every speaker at the times of the model."""
    import numpy as np

    from data_pipelines.formats import video
    from data_pipelines.formats.encode import npy_bytes

    if not boxes and faces.speakers == 1:
        boxes = [(0.0, 0.0, 1.0, 1.0)]
    if len(boxes) != faces.speakers:
        raise ValueError(
            f"The model parts {faces.speakers} speakers: give --box as often. "
            f"Received: {len(boxes)} boxes."
        )
    within = (np.arange(faces.num_frames) + 0.5) * seconds / faces.num_frames
    times, places = np.unique(
        np.round(starts[:, None] + within, 6), return_inverse=True
    )
    try:
        shown = video.crops(data, times, boxes, faces.size, faces.max_pixels)
    except ValueError as error:
        raise ValueError(f"`{clip}`: {error}") from None
    places = places.reshape(len(starts), -1)
    shape = (-1, faces.size, faces.size, 3)
    return [npy_bytes(shown[:, at].reshape(shape)) for at in places]
