"""Looking to Listen: separates the voices of a mixture by the faces of the speakers.

Ephrat et al. 2018, "Looking to Listen at the Cocktail Party: A Speaker-Independent
Audio-Visual Model for Speech Separation", https://arxiv.org/abs/1804.03619. Deviations:
masks may be negative, and their bound is far from values that occur; the presets fill
in sizes that the paper leaves open, and have the layers and counts that it publishes.

    mixture --> STFT, |S| ** power --> 15 convolutions -----------------------.
    faces of speaker 1 --> visual stream, shared by all speakers              |
        --> nearest frame at every step of the spectrogram -------------------+
    faces of speaker 2 --> the same ------------------------------------------+
    concatenation --> bidirectional LSTM --> dense, dense, dense
        --> a complex mask for each speaker
    mask x mixture --> spectrogram of the speaker --> inverse STFT

`build` returns the model that trains on mixtures of known sounds, `separator` the one
that returns sounds.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers.spectrogram import Spectrogram
from mbm_keras.layers.spectrogram import Waves
from mbm_keras.preset import Preset
from mbm_keras.tasks import Separation
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.towers import image_cnn
from mbm_keras.towers.encode import Builder


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """A stack of convolutions, each with batch normalization and a ReLU.

    Args:
        filters: Channels of each.
        kernels: Kernel size and dilation of each, over (time, frequency) or over time.
    """

    filters: int
    kernels: tuple


AUDIO = Convolutions(
    96,
    (
        ((1, 7), (1, 1)),
        ((7, 1), (1, 1)),
        ((5, 5), (1, 1)),
        ((5, 5), (2, 1)),
        ((5, 5), (4, 1)),
        ((5, 5), (8, 1)),
        ((5, 5), (16, 1)),
        ((5, 5), (32, 1)),
        ((5, 5), (1, 1)),
        ((5, 5), (2, 2)),
        ((5, 5), (4, 4)),
        ((5, 5), (8, 8)),
        ((5, 5), (16, 16)),
        ((5, 5), (32, 32)),
    ),
)
VISUAL = Convolutions(256, ((7, 1), (5, 1), (5, 2), (5, 4), (5, 8), (5, 16)))


_SIZES = {  # of the inputs, by modality
    "wave": ("samples",),
    "faces": ("num_speakers", "num_frames", "face_size"),
    "face_embeddings": ("num_speakers", "num_frames", "face_embedding_size"),
}


def _make_published(num_speakers, parameters):
    """Three seconds at 16 kHz; 75 frames with a face embedding of 1,024 each."""
    faces = dict(num_speakers=num_speakers, num_frames=75, face_embedding_size=1_024)
    return Preset(
        dict(
            inputs=[
                InputSpec("mixture", "wave", dict(samples=48_000)),
                InputSpec("faces", "face_embeddings", faces),
            ],
            task=Separation(num_speakers),
        ),
        parameters=parameters,
        source="https://arxiv.org/abs/1804.03619, table 1 and section 4",
    )


PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("mixture", "wave", dict(samples=640)),
                InputSpec(
                    "faces",
                    "face_embeddings",
                    dict(num_speakers=2, num_frames=5, face_embedding_size=6),
                ),
            ],
            task=Separation(2, window=64, hop=32, fft=64),
            audio=Convolutions(3, AUDIO.kernels[:3]),
            visual=Convolutions(4, VISUAL.kernels),
            units=5,
            dense_units=6,
        ),
    ),
    "one_speaker": _make_published(1, 16_505_810),
    "two_speakers": _make_published(2, 17_633_924),
    "three_speakers": _make_published(3, 18_762_038),
    "audio_only": Preset(
        dict(
            inputs=[InputSpec("mixture", "wave", dict(samples=48_000))],
            task=Separation(2, any_order=True),
        ),
        parameters=12_517_508,
        source="https://arxiv.org/abs/1804.03619, section 5.1",
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Compares inputs and task with what this model can be built for.

    Args:
        inputs: List of `InputSpec`.
        task: A task.

    Raises:
        ValueError: If they are not one mixture, perhaps the faces of its speakers, and
            a `Separation` into as many sounds.
    """
    modalities = sorted(spec.modality for spec in inputs)
    allowed = (["wave"], ["faces", "wave"], ["face_embeddings", "wave"])
    if modalities not in allowed or not isinstance(task, Separation):
        received = [f"{spec.name} ({spec.modality})" for spec in inputs]
        raise ValueError(
            "Expected one input of modality 'wave', at most one of modality 'faces' or "
            f"'face_embeddings', and a task Separation. Received: inputs={received}, "
            f"task={task}."
        )
    for spec in inputs:
        sizes = _SIZES[spec.modality]
        if set(spec.sizes) != set(sizes) or min(spec.sizes.values()) < 1:
            raise ValueError(
                f"Expected sizes of input {spec.name!r} ({spec.modality}), at least 1 "
                f"each: {', '.join(sizes)}. Received: {dict(spec.sizes)}."
            )
        if spec.sizes.get("samples", task.window) < task.window:
            raise ValueError(
                "Expected samples >= window. Received: "
                f"samples={spec.sizes['samples']}, window={task.window}."
            )
        if spec.sizes.get("num_speakers", task.num_sounds) != task.num_sounds:
            raise ValueError(
                "Expected num_speakers == num_sounds. Received: num_speakers="
                f"{spec.sizes['num_speakers']}, num_sounds={task.num_sounds}."
            )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Separation,
    audio: Convolutions = AUDIO,
    audio_channels: int = 8,
    visual: Convolutions = VISUAL,
    face_embedding_size: int = 1_024,
    face_tower: Builder = image_cnn.build,
    units: int = 400,
    dense_units: int = 600,
    name: str = "looking_to_listen",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: A list of `InputSpec`: one of modality `"wave"`, the mixture; and one of
            modality `"faces"` (frames of the speakers' faces) or `"face_embeddings"`
            (vectors made from them), or none, for a model that only listens.
        task: A `Separation`. Without faces, `any_order=True` is needed to train.
        audio: `Convolutions` over the spectrogram.
        audio_channels: Channels of the last one, with a kernel of 1.
        visual: `Convolutions` over the frames of each speaker.
        face_embedding_size: Size of the embedding of a frame, where `face_tower` makes
            it.
        face_tower: Builder of the tower for frames: any one of modality image, such as
            `image_resnet.build`.
        units: Units of the LSTM, in each direction.
        dense_units: Units of each of the three dense layers.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, with the names of the preset "tiny":
            mixture: `(batch, samples)` float32 in [-1, 1].
            faces: `(batch, num_speakers, num_frames, face_embedding_size)` float32, or
                `(batch, num_speakers, num_frames, face_size, face_size, 3)` uint8.
        Outputs, by name, with the name of the task:
            speakers: `(batch, num_sounds, frames, fft // 2 + 1, 2)` float32, compressed
                spectrograms, in the order of the faces.

    Raises:
        ValueError: See `check_fit`.
    """
    check_fit(inputs, task)
    specs = {spec.modality: spec for spec in inputs}
    tensors = {modality: _input(spec) for modality, spec in specs.items()}

    # Audio stream.
    transform = task.window, task.hop, task.fft, task.power
    spectrogram = Spectrogram(*transform, dtype="float32")(tensors["wave"])
    frames, bins = spectrogram.shape[1:3]  # (batch, frames, bins, 2)
    x = spectrogram
    stack = [(audio.filters, kernel, dilation) for kernel, dilation in audio.kernels]
    for filters, kernel, dilation in (*stack, (audio_channels, (1, 1), (1, 1))):
        x = layers.Conv2D(filters, kernel, padding="same", dilation_rate=dilation)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    # (batch, frames, bins, audio_channels) to (batch, frames, bins * audio_channels)
    streams = [layers.Reshape((frames, bins * audio_channels))(x)]

    # Visual streams, one for each speaker, with shared weights.
    embeddings = tensors.get("face_embeddings")
    if "faces" in tensors:
        embeddings = _embed(tensors["faces"], face_tower, face_embedding_size)
    if embeddings is not None:
        num_speakers, num_frames, size = embeddings.shape[1:]
        stream = _visual_stream(num_frames, size, visual)
        nearest = [(2 * i + 1) * num_frames // (2 * frames) for i in range(frames)]
        for i in range(num_speakers):
            y = stream(embeddings[:, i])  # (batch, num_frames, visual.filters)
            streams.append(NearestFrames(nearest)(y))  # (batch, frames, visual.filters)

    # Fusion over time, and a mask for each speaker.
    x = layers.Concatenate()(streams) if len(streams) > 1 else streams[0]
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(x)
    for _ in range(3):
        x = layers.Dense(dense_units, activation="relu")(x)
    # (batch, frames, dense_units) to (batch, num_sounds, frames, bins, 2)
    x = task.head(x, output_name(task.name, inputs))
    x = ComplexMasks()(x, spectrogram)
    return TaskModel(list(tensors.values()), {task.name: x}, name=name)


def separator(model: keras.Model, task: Separation) -> keras.Model:
    """The model that returns sounds, with the weights of a trained model.

    Args:
        model: What `build` returned.
        task: Its `Separation`.

    Returns:
        A functional `keras.Model` of the same inputs. Outputs, by name:
            speakers: `(batch, num_sounds, samples)` float32.
    """
    (samples,) = (x.shape[1] for x in model.inputs if len(x.shape) == 2)
    transform = task.window, task.hop, task.fft, task.power
    waves = Waves(samples, *transform)(model.output[task.name])
    return keras.Model(model.inputs, {task.name: waves}, name=f"{model.name}_separator")


def for_inference(model: keras.Model, task: Separation) -> keras.Model:
    """The model that answers: see `separator`."""
    return separator(model, task)


@keras.saving.register_keras_serializable(package="mbm_keras.models.looking_to_listen")
class ComplexMasks(keras.layers.Layer):
    """Multiplies a spectrogram by one complex mask for each speaker.

        O = K tanh(C x / 2),   M = -1/C ln((K - O) / (K + O)),   S = M X

    with K = 10 and C = 0.1, so that M = x where x is small. The real and the imaginary
    part of M are at most `bound`.

    Source: Williamson et al. 2016, "Complex Ratio Masking for Monaural Speech
    Separation", https://doi.org/10.1109/TASLP.2015.2512042, equations 8 and 9.
    Deviation: x is clipped, so that M is finite.

    Args:
        bound: float > 0, the largest real and imaginary part of a mask, either sign.

    Call arguments:
        x: `(batch, speakers, frames, bins, 2)`, what the network returns.
        mixture: X, `(batch, frames, bins, 2)`.

    Returns:
        S, `(batch, speakers, frames, bins, 2)` float32.
    """

    def __init__(self, bound: float = 50.0, **kwargs):
        super().__init__(**kwargs)
        self.bound = bound

    def call(self, x, mixture):
        mask = expand_mask(compress_mask(ops.cast(x, "float32"), self.bound))
        return complex_product(mask, ops.cast(mixture, "float32")[:, None])

    def compute_output_spec(self, x, mixture):
        return keras.KerasTensor(x.shape, "float32")

    def get_config(self):
        return {**super().get_config(), "bound": self.bound}


def ideal_mask(part: Any, mixture: Any) -> Any:
    """The complex ratio mask that makes a part out of a mixture: S / X.

    Args:
        part: S, `(..., 2)`, real and imaginary part.
        mixture: X, the same shape.

    Returns:
        The same shape; 0 where the mixture is silent.
    """
    energy = ops.sum(ops.square(mixture), axis=-1, keepdims=True)
    conjugate = mixture * ops.convert_to_tensor([1.0, -1.0])
    return complex_product(part, conjugate) / ops.maximum(energy, 1e-12)


def complex_product(left: Any, right: Any) -> Any:
    """The product of complex numbers, `(..., 2)` each."""
    a, b, c, d = left[..., 0], left[..., 1], right[..., 0], right[..., 1]
    return ops.stack([a * c - b * d, a * d + b * c], axis=-1)


def compress_mask(
    mask: Any, bound: float = 50.0, limit: float = 10.0, steepness: float = 0.1
) -> Any:
    """Maps a mask to (-limit, limit): O = K (1 - exp(-C M)) / (1 + exp(-C M)).

    Args:
        mask: M, any shape; clipped to [-bound, bound].
        bound: float > 0.
        limit: K, float > 0.
        steepness: C, float > 0.

    Returns:
        O, the same shape.
    """
    mask = ops.clip(mask, -bound, bound)
    return limit * ops.tanh(steepness * mask / 2.0)


def expand_mask(mask: Any, limit: float = 10.0, steepness: float = 0.1) -> Any:
    """The inverse of `compress_mask`: M = -1/C ln((K - O) / (K + O)).

    Args:
        mask: O, any shape, in (-limit, limit).
        limit: K, float > 0.
        steepness: C, float > 0.

    Returns:
        M, the same shape.
    """
    return -ops.log((limit - mask) / (limit + mask)) / steepness


@keras.saving.register_keras_serializable(package="mbm_keras.models.looking_to_listen")
class NearestFrames(keras.layers.Layer):
    """Repeats the frames of a slower stream, so that each step has the nearest frame.

    Args:
        index: For each step of the output, the index of a frame of the input.

    Input shape:
        `(batch, num_frames, width)`.

    Output shape:
        `(batch, len(index), width)`.
    """

    def __init__(self, index: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.index = list(index)

    def call(self, x):
        return ops.take(x, self.index, axis=1)

    def compute_output_shape(self, shape):
        return shape[0], len(self.index), shape[-1]

    def get_config(self):
        return {**super().get_config(), "index": self.index}


def _input(spec):
    """The `keras.Input` of a spec."""
    if spec.modality == "wave":
        return keras.Input((spec.sizes["samples"],), name=spec.key)
    shape = spec.sizes["num_speakers"], spec.sizes["num_frames"]
    if spec.modality == "face_embeddings":
        return keras.Input((*shape, spec.sizes["face_embedding_size"]), name=spec.key)
    side = spec.sizes["face_size"]
    return keras.Input((*shape, side, side, 3), dtype="float32", name=spec.key)


def _embed(faces, tower, size):
    """Frames to embeddings, `(batch, num_speakers, num_frames, size)`."""
    num_speakers, num_frames, side = faces.shape[1:4]
    x = layers.Reshape((num_speakers * num_frames, side, side, 3))(faces)
    x = layers.TimeDistributed(tower(side, width=size, name="face"))(x)
    return layers.Reshape((num_speakers, num_frames, size))(x)


def _visual_stream(num_frames, size, convolutions):
    """A model from `(batch, num_frames, size)` to `(batch, num_frames, filters)`."""
    x = embeddings = keras.Input((num_frames, size))
    for kernel, dilation in convolutions.kernels:
        x = layers.Conv1D(
            convolutions.filters, kernel, padding="same", dilation_rate=dilation
        )(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(embeddings, x)
