"""Checks and small files shared by the tests."""

import atexit
import functools
import io
import json
import os
import re
import subprocess
import sys
import wave

import keras
import numpy as np
import soundfile
import tensorflow as tf
from keras import ops
from PIL import Image

from mbm_keras.inputs import teacher_name
from mbm_keras.tasks import Association
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Separation
from mbm_keras.tasks import Transcription
from mbm_keras.tasks import Understanding


def random_inputs(model, batch=2, steps=5, seed=0):
    """Random arrays for the inputs of `model`, by name."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for tensor in model.inputs:
        shape = [batch, *(steps if n is None else n for n in tensor.shape[1:])]
        if tensor.dtype == "int32":
            arrays[tensor.name] = rng.integers(1, 8, shape).astype("int32")
        elif tensor.dtype == "uint8":
            arrays[tensor.name] = rng.integers(0, 256, shape).astype("uint8")
        elif tensor.dtype == "bool":
            arrays[tensor.name] = np.ones(shape, bool)
        else:
            arrays[tensor.name] = rng.integers(0, 2, shape).astype("float32")
    return arrays


def tiny(module, **changes):
    """A small model of the zoo, with the same weights every time.

    Args:
        module: A module of `mbm_keras.models`.
        **changes: Arguments of its builder that differ from the preset "tiny".
    """
    keras.utils.set_random_seed(0)
    return module.build(**{**module.PRESETS["tiny"].arguments, **changes})


@functools.cache
def shared_tiny(module):
    """The small model of a module, for tests that do not change its weights."""
    return tiny(module)


def random_targets(task, output, inputs, seed=0):
    """Targets that a task can learn, for an output and the inputs of a model."""
    rng = np.random.default_rng(seed)
    if isinstance(task, Classification | Captioning):
        index = np.arange(np.prod(output.shape[:-1])).reshape(output.shape[:-1])
        return (index % output.shape[-1]).astype("int32")
    if isinstance(task, Transcription):
        return np.eye(1, output.shape[1], dtype="int32").repeat(len(output), 0) * 2
    if isinstance(task, Association):
        return np.tile(np.arange(output.shape[0])[:, None], (1, output.shape[1]))
    if isinstance(task, Separation):
        mixture = next(x for x in inputs.values() if x.ndim == 2)
        return np.stack([mixture * share for share in (0.7, 0.3)], axis=1)
    if isinstance(task, Understanding):
        return inputs[teacher_name(task.name)]
    if isinstance(task, MultiLabel):
        return rng.integers(0, 2, output.shape).astype("float32")
    return rng.standard_normal(output.shape).astype("float32")


def numpy(tree):
    return keras.tree.map_structure(ops.convert_to_numpy, tree)


def assert_same(left, right, atol=1e-5):
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, atol=atol),
        numpy(left),
        numpy(right),
    )


def every_weight_gets_a_gradient(model, inputs):
    """Names of the weights of `model` that do not move in one step of SGD.

    The bias of keys adds the same to all scores of a question, which a softmax does not
    see: it moves by rounding errors at most, and is not looked at.
    """
    before = [ops.convert_to_numpy(w) for w in model.trainable_weights]
    targets = keras.tree.map_structure(
        lambda y: np.random.default_rng(1).random(y.shape), numpy(model(inputs))
    )
    losses = keras.tree.map_structure(lambda _: "mse", targets)
    # One step is faster without a graph.
    model.compile(keras.optimizers.SGD(1.0), loss=losses, run_eagerly=True)
    model.train_on_batch(inputs, targets)
    return [
        w.path
        for w, old in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(ops.convert_to_numpy(w), old)
        and not w.path.endswith("key/bias")
    ]


def on_jax(script, *arguments):
    """Runs a script in another process, on JAX; an error there fails a test."""
    process = _jax_process()
    process.stdin.write(json.dumps([script, *map(str, arguments)]) + "\n")
    process.stdin.flush()
    error = json.loads(process.stdout.readline() or '"The process ended."')
    assert not error, error


# Answers each script with its error. What a script prints would be taken for an answer.
_SCRIPTS = """
import json, os, sys, traceback, warnings
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import keras
for line in sys.stdin:
    script, *sys.argv[1:] = json.loads(line)
    error = ""
    try:
        with warnings.catch_warnings():
            exec(script, {"__name__": "__main__"})
    except BaseException:
        error = traceback.format_exc()[-3000:]
    keras.utils.clear_session()
    print(json.dumps(error), file=answers, flush=True)
"""


@functools.cache
def _jax_process():
    """A process with Keras on JAX, for all scripts: it imports them once."""
    changed = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiling takes longer than a few steps: as little of it as possible.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPTS],
        env={**os.environ, **changed},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(process.kill)
    return process


def image_bytes(kind="PNG", mode="RGB", size=(12, 10), seed=0, **options):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), "uint8")
    data = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, kind, **options)
    return data.getvalue()


def wav_bytes(seconds=0.25, rate=8_000, hertz=440.0):
    time = np.arange(round(seconds * rate)) / rate
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        tone = 0.5 * np.sin(2 * np.pi * hertz * time)
        file.writeframes((tone * 32_767).astype("<i2").tobytes())
    return data.getvalue()


def flac_bytes(hertz=440.0):
    samples, rate = soundfile.read(io.BytesIO(wav_bytes(hertz=hertz)))
    data = io.BytesIO()
    soundfile.write(data, samples, rate, format="FLAC")
    return data.getvalue()


CODECS = {
    "mp4": ("mpeg4", "aac"),
    "mov": ("mjpeg", "pcm_s16le"),
    "avi": ("mjpeg", "pcm_s16le"),
    "matroska": ("ffv1", "flac"),
    "webm": ("libvpx", "libopus"),
    "mpeg": ("mpeg2video", "mp2"),
    "mpegts": ("mpeg2video", "mp2"),
    "flv": ("flv", None),
    "gif": ("gif", None),
}


def clip_bytes(
    kind="avi",
    seconds=1.0,
    rate=10,
    size=(32, 24),
    hertz=440.0,
    late=0,
    values=None,
    times=None,
):
    """A clip whose frames get lighter, and that sounds from its middle on.

    Args:
        kind: One of `CODECS`.
        seconds: Its length.
        rate: Frames per second.
        size: Width and height.
        hertz: Of its tone; None for no sound.
        late: How many frames are missing at the beginning, its sound is not.
        values: Gray value of each frame, or of all its pixels; None for 20, 30 ...
        times: When each is shown, in 1 / rate seconds; None for 0, 1, 2 ...
    """
    import av

    data = io.BytesIO()
    picture_codec, sound_codec = CODECS[kind]
    values = 20 + 10 * np.arange(round(seconds * rate)) if values is None else values
    with av.open(data, "w", format=kind) as clip:
        video = clip.add_stream(picture_codec, rate=rate)
        video.width, video.height = size
        gray = {"mjpeg": "yuvj420p", "ffv1": "yuv420p", "gif": "gray"}
        video.pix_fmt = gray.get(picture_codec, "yuv420p")
        sound = None
        if hertz is not None and sound_codec is not None:
            hz = 48_000 if sound_codec == "libopus" else 16_000
            sound = clip.add_stream(sound_codec, rate=hz, layout="mono")
        for i, value in enumerate(values):
            if i < late:
                continue
            pixels = np.empty((*size[::-1], 3), np.uint8)
            pixels[...] = np.asarray(value)[..., None]
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = i if times is None else times[i]
            clip.mux(video.encode(frame))
        clip.mux(video.encode(None))
        if sound is not None:
            time = np.arange(round(seconds * hz)) / hz
            wave = 0.5 * np.sin(2 * np.pi * hertz * time) * (time >= seconds / 2)
            frame = av.AudioFrame.from_ndarray(
                (wave * 32_767).astype("<i2")[None], "s16", "mono"
            )
            frame.sample_rate, frame.pts = hz, 0
            clip.mux(sound.encode(frame))
            clip.mux(sound.encode(None))
    return data.getvalue()


def decode_one(preprocessor, value):
    """The array of one raw value, which must be decodable."""
    arrays, decoded = preprocessor.decode(tf.constant([value]))
    assert decoded.numpy().tolist() == [True]
    assert preprocessor.explain(value) == ""
    return arrays[0].numpy()


def assert_corrupt(preprocessor, value, message=""):
    """A raw value is not decoded, and the message says why."""
    arrays, decoded = preprocessor.decode(tf.constant([value]))
    assert decoded.numpy().tolist() == [False] and not arrays.numpy().any()
    why = preprocessor.explain(value)
    assert why and re.search(message, why), why


def npy_bytes(array):
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()
