"""Looking to Listen: who speaks is told apart by the faces.

Ephrat et al. 2018, "Looking to Listen at the Cocktail Party: A Speaker-Independent
Audio-Visual Model for Speech Separation", https://arxiv.org/abs/1804.03619. Deviations:
the masks may be negative, and are bounded far from where they are used; what stands for
the missing sizes of the paper is in the presets, which have the counts of its layers.

    mixture --> STFT, |S| ** 0.3 --> 15 convolutions ------------------------.
    sight of speaker 1 --> visual stream, one for all of them --> as many     |
    sight of speaker 2 --> the same                              frames ------+
    all side by side --> BLSTM --> dense, dense, dense --> a complex mask per speaker
    mask x mixture --> spectrogram of the speaker --> inverse STFT

`build` gives the model that learns from mixtures whose parts are known, `separator` the
one that gives their sounds.
"""

import keras
from keras import layers
from keras import ops

from mbm_keras.layers.spectrogram import Spectrogram
from mbm_keras.layers.spectrogram import Waves
from mbm_keras.towers import image_cnn

# Kernel, dilation: both over (time, frequency).
AUDIO = (
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
)
SIGHT = ((7, 1), (5, 1), (5, 2), (5, 4), (5, 8), (5, 16))  # kernel, dilation in time

# Three seconds at 16 kHz, and 75 frames with an embedding of 1,024 of each face.
PUBLISHED = dict(samples=48_000, sight=1_024)
PRESETS = {
    "tiny": dict(
        samples=640,
        window=64,
        hop=32,
        fft=64,
        sight=6,
        steps=5,
        filters=3,
        visual_filters=4,
        units=5,
        dense=6,
        audio=AUDIO[:3],
    ),
    "one_speaker": dict(PUBLISHED, speakers=1),
    "two_speakers": dict(PUBLISHED, speakers=2),
    "three_speakers": dict(PUBLISHED, speakers=3),
    "audio_only": dict(PUBLISHED, speakers=2, steps=0),
}


@keras.saving.register_keras_serializable(package="mbm_keras")
class ComplexMasks(keras.layers.Layer):
    """Multiplies a spectrogram by one complex mask per speaker.

        O = K tanh(C x / 2),   M = -1/C ln((K - O) / (K + O)),   S = M X

    so M is x where it is small, and no part of it is beyond `bound`.

    Source: Williamson et al. 2016, "Complex Ratio Masking for Monaural Speech
    Separation", https://doi.org/10.1109/TASLP.2015.2512042, equations 8 and 9.
    Deviation: O is kept from K by so little that M is bounded.

    Args:
        bound: The largest real and imaginary part of a mask, either sign.

    Call arguments:
        x: `(batch, frames, speakers, bins, 2)`, what the network says.
        mixture: `(batch, frames, bins, 2)`.

    Returns:
        `(batch, speakers, frames, bins, 2)` float32.
    """

    def __init__(self, bound=50.0, **kwargs):
        super().__init__(**kwargs)
        self.bound = bound

    def call(self, x, mixture):
        mask = expanded(bounded(ops.cast(x, "float32"), self.bound))
        mask = ops.transpose(mask, (0, 2, 1, 3, 4))
        return product(mask, ops.cast(mixture, "float32")[:, None])

    def compute_output_spec(self, x, mixture):
        rows, frames, speakers, bins, _ = x.shape
        return keras.KerasTensor((rows, speakers, frames, bins, 2), "float32")

    def get_config(self):
        return {**super().get_config(), "bound": self.bound}


def mask_of(part, mixture):
    """The complex ratio mask that makes a part of a mixture: S / X.

    Args:
        part: `(..., 2)`, real and imaginary part.
        mixture: The same shape.

    Returns:
        The same shape; 0 where the mixture is silent.
    """
    energy = ops.sum(ops.square(mixture), axis=-1, keepdims=True)
    conjugate = mixture * ops.convert_to_tensor([1.0, -1.0])
    return product(part, conjugate) / ops.maximum(energy, 1e-12)


def product(left, right):
    """The product of complex numbers `(..., 2)`."""
    a, b, c, d = left[..., 0], left[..., 1], right[..., 0], right[..., 1]
    return ops.stack([a * c - b * d, a * d + b * c], axis=-1)


def bounded(mask, bound=50.0, limit=10.0, steepness=0.1):
    """Compresses a mask into `(-limit, limit)`: K (1 - exp(-C M)) / (1 + exp(-C M))."""
    mask = ops.clip(mask, -bound, bound)
    return limit * ops.tanh(steepness * mask / 2.0)


def expanded(mask, limit=10.0, steepness=0.1):
    """The inverse of `bounded`: -1/C ln((K - O) / (K + O))."""
    return -ops.log((limit - mask) / (limit + mask)) / steepness


def build(
    *,
    samples,
    window=400,
    hop=160,
    fft=512,
    power=0.3,
    sight=1_024,
    steps=75,
    face=None,
    tower=image_cnn.build,
    speakers=2,
    filters=96,
    audio=AUDIO,
    audio_width=8,
    visual_filters=256,
    visual=SIGHT,
    units=400,
    dense=600,
    name="looking_to_listen",
):
    """Builds the model.

    Args:
        samples: Length of the sound.
        window: Length of the Hann window, in samples.
        hop: Distance between windows, in samples.
        fft: Length of the Fourier transform.
        power: Of the magnitude of the spectrogram.
        sight: Size of the embedding of a frame of a face.
        steps: Frames of a face in this time; 0 to listen alone, for a loss that takes
            `any_order`.
        face: None if embeddings are given; the side of the square pictures in pixels
            if they are made by an image tower along with the rest.
        tower: Builder of that tower: any of an image, such as `image_resnet.build`.
        speakers: How many are told apart.
        filters: Channels of the convolutions over the sound.
        audio: Kernel and dilation of each of them, over time and frequency.
        audio_width: Channels of the last, of kernel 1.
        visual_filters: Channels of the convolutions over the frames.
        visual: Kernel and dilation of each of them, over time.
        units: Of the LSTM, in each of the two directions.
        dense: Of each of the three dense layers.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name:
            mixture: `(batch, samples)` float32 in [-1, 1].
            sight: `(batch, speakers, steps, sight)` float32, or `(batch, speakers,
                steps, face, face, 3)` uint8; none if `steps` is 0.
        Outputs, by name:
            speakers: `(batch, speakers, frames, fft // 2 + 1, 2)` float32, compressed
                spectrograms in the order of `sight`; `SpectrogramLoss` compares them
                with the speakers' sounds.

    Raises:
        ValueError: If the sound is shorter than a window, the transform than it, or
            nobody speaks.
    """
    if not 0 < hop <= window <= min(fft, samples) or speakers < 1 or steps < 0:
        raise ValueError(
            "A window is as long as its hop at least, and as the transform and the "
            "sound at most, and somebody speaks. Received: "
            f"samples={samples}, window={window}, hop={hop}, fft={fft}, "
            f"speakers={speakers}, steps={steps}."
        )
    mixture = keras.Input((samples,), name="mixture")
    spectrogram = Spectrogram(
        window, hop, fft, power, dtype="float32", name="spectrogram"
    )(mixture)
    frames, bins = spectrogram.shape[1:3]  # (batch, frames, bins, 2)
    x = spectrogram
    for kernel, dilation in (*audio, ((1, 1), (1, 1))):
        last = kernel == (1, 1)
        x = layers.Conv2D(
            audio_width if last else filters,
            kernel,
            padding="same",
            dilation_rate=dilation,
        )(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    streams = [layers.Reshape((frames, bins * audio_width))(x)]

    inputs = [mixture]
    if steps:
        seen, embedded = _sight(speakers, steps, sight, face, tower)
        inputs.append(seen)
        stream = _visual_stream(steps, embedded.shape[-1], visual, visual_filters)
        nearest = [(2 * i + 1) * steps // (2 * frames) for i in range(frames)]
        for i in range(speakers):
            y = stream(embedded[:, i])  # (batch, steps, visual_filters)
            streams.append(NearestFrames(nearest)(y))  # (batch, frames, visual_filters)
    x = layers.Concatenate()(streams) if len(streams) > 1 else streams[0]
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(x)
    for _ in range(3):
        x = layers.Dense(dense, activation="relu")(x)  # (batch, frames, dense)
    x = layers.Dense(speakers * bins * 2, dtype="float32")(x)
    x = layers.Reshape((frames, speakers, bins, 2))(x)
    parts = ComplexMasks(name="speakers")(x, spectrogram)
    return keras.Model(inputs, {"speakers": parts}, name=name)


def separator(model):
    """The model that gives the sounds of the speakers, with the weights of `build`'s.

    Args:
        model: What `build` gave.

    Returns:
        A functional `keras.Model` of the same inputs. Outputs, by name:
            speakers: `(batch, speakers, samples)` float32.
    """
    spectrogram = model.get_layer("spectrogram")
    waves = Waves(
        model.inputs[0].shape[1],
        spectrogram.window,
        spectrogram.hop,
        spectrogram.fft,
        spectrogram.power,
        name="waves",
    )(model.output["speakers"])
    return keras.Model(
        model.inputs, {"speakers": waves}, name=f"{model.name}_separator"
    )


@keras.saving.register_keras_serializable(package="mbm_keras")
class NearestFrames(keras.layers.Layer):
    """Steps of a slower stream, each as often as it is the nearest.

    Args:
        places: For every step of the output, which one of the input it is.

    Input shape:
        `(batch, steps, width)`.

    Output shape:
        `(batch, len(places), width)`.
    """

    def __init__(self, places, **kwargs):
        super().__init__(**kwargs)
        self.places = list(places)

    def call(self, x):
        return ops.take(x, self.places, axis=1)

    def compute_output_shape(self, shape):
        return shape[0], len(self.places), shape[-1]

    def get_config(self):
        return {**super().get_config(), "places": self.places}


def _sight(speakers, steps, size, face, tower):
    """The input of the faces, and `(batch, speakers, steps, size)` of it."""
    if face is None:
        seen = keras.Input((speakers, steps, size), name="sight")
        return seen, seen
    seen = keras.Input((speakers, steps, face, face, 3), dtype="uint8", name="sight")
    x = layers.Reshape((speakers * steps, face, face, 3))(seen)
    x = layers.TimeDistributed(tower(face, width=size, name="face"))(x)
    return seen, layers.Reshape((speakers, steps, size))(x)


def _visual_stream(steps, size, convolutions, filters):
    """One stream, for every speaker the same."""
    x = given = keras.Input((steps, size))
    for kernel, dilation in convolutions:
        x = layers.Conv1D(filters, kernel, padding="same", dilation_rate=dilation)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(given, x, name="visual_stream")
