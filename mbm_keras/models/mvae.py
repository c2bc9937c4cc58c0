"""MVAE: one latent space for all modalities, whichever of them are present.

Wu and Goodman 2018, "Multimodal Generative Models for Scalable Weakly-Supervised
Learning", https://arxiv.org/abs/1802.05335. Deviations: a head reads the mean of the
joint posterior, as in MultiBench (https://arxiv.org/abs/2107.07502), and its loss is
added; the encoders are the towers of this library; the subsets in training are all
present inputs and each input by itself, without random subsets; words are
reconstructed as a bag.

    input i --> <key>_tower --> Gaussian i --.
    ...                                      +--> product --> mean --> head
    present ---------------------------------'       |
                                  a sample --> <key>_decoder --> reconstruction i

    loss = task + weight * (ELBO(all) + sum_i ELBO(i))
    ELBO(s) = sum of -log p(x_i | z) over i in s + beta * KL(q(z | s), N(0, 1))

where each -log p is the mean over the parts of an input: pixels, bands, words.
"""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import ProductOfExperts
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import decoder_name
from mbm_keras.inputs import output_name
from mbm_keras.inputs import reconstruction_name
from mbm_keras.layers import pixel_values
from mbm_keras.layers import replace_absent
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all


@dataclasses.dataclass(frozen=True)
class Elbo:
    """Weights of the ELBO in the loss.

    Args:
        weight: Weight of all ELBOs, next to 1 for the task.
        beta: Weight of the divergence in an ELBO, whose other parts are means.
        reconstruction: Weight of a reconstruction by input name; 1 for inputs that are
            not named.
    """

    weight: float = 0.1
    beta: float = 0.01
    reconstruction: Mapping[str, float] | None = None


PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Classification(3),
            width=8,
            latent_size=8,
            units=8,
            elbo=Elbo(weight=0.01),
        )
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mvae")
class Sample(keras.layers.Layer):
    """A sample of a Gaussian in training, its mean otherwise.

    Args:
        seed: Seed of the samples.

    Call arguments:
        mean: `(batch, latent_size)`.
        variance: The same shape.

    Returns:
        The same shape.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, mean, variance, training=False):
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.random)
        return mean + ops.sqrt(variance) * noise

    def compute_output_shape(self, mean_shape, variance_shape=None):
        return mean_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mvae")
class Divergence(keras.layers.Layer):
    """Adds the divergence of a Gaussian from N(0, 1) to the loss.

        KL = sum (mu^2 + sigma^2 - 1 - log sigma^2) / 2

    Args:
        weight: Factor of the divergence.

    Call arguments:
        mean: `(batch, latent_size)`.
        variance: The same shape.
        valid: `(batch,)` bool: which rows to include; None for all.

    Returns:
        The mean, as it is.
    """

    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, mean, variance, valid=None):
        mu, var = (ops.cast(t, "float32") for t in (mean, variance))
        each = ops.sum(ops.square(mu) + var - 1 - ops.log(var), axis=1) / 2
        self.add_loss(self.weight * _mean_over(each, valid))
        return mean

    def compute_output_shape(self, mean_shape, variance_shape=None, valid_shape=None):
        return mean_shape

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mvae")
class Reconstruction(keras.layers.Layer):
    """Adds -log p(x | z) to the loss, for the output of a decoder of z.

        image   Bernoulli: the cross-entropy of every pixel, with probability x / 255
        text    categorical: the cross-entropy of every word, from one bag of words
        others  Gaussian with a learned variance: ((x - y)^2 / s + log s) / 2

    Args:
        modality: `"image"`, `"text"` or another.
        weight: Factor of the reconstruction loss.

    Call arguments:
        decoded: Output of the decoder.
        x: The input, `(batch, ...)`.
        valid: `(batch,)` bool: which rows to include; None for all.

    Returns:
        `decoded`, as it is.
    """

    def __init__(self, modality, weight, **kwargs):
        super().__init__(**kwargs)
        self.modality = modality
        self.weight = weight

    def build(self, decoded_shape, x_shape=None, valid_shape=None):
        self.log_s = None
        if self.modality not in ("image", "text"):
            self.log_s = self.add_weight((), "zeros", dtype="float32", name="log_s")

    def call(self, decoded, x, valid=None):
        y = ops.cast(decoded, "float32")
        if valid is not None:  # an absent input may hold anything, even NaN
            x = replace_absent(x, valid)
        if self.modality == "image":
            p = pixel_values(x) / 255.0
            each = ops.binary_crossentropy(p, y, from_logits=True)
        elif self.modality == "text":
            ids = ops.cast(x, "int32")
            log_p = ops.take_along_axis(ops.log_softmax(y), ids, axis=1)
            is_word = ops.cast(x != 0, "float32")  # (batch, steps)
            num_words = ops.maximum(ops.sum(is_word, axis=1), 1.0)
            each = -ops.sum(log_p * is_word, axis=1) / num_words
        else:
            log_s = ops.cast(self.log_s, "float32")
            error = ops.square(ops.cast(x, "float32") - y)
            each = (error * ops.exp(-log_s) + log_s) / 2
        each = ops.mean(ops.reshape(each, (ops.shape(x)[0], -1)), axis=1)
        self.add_loss(self.weight * _mean_over(each, valid))
        return decoded

    def compute_output_shape(self, decoded_shape, x_shape=None, valid_shape=None):
        return decoded_shape

    def get_config(self):
        return {
            **super().get_config(),
            "modality": self.modality,
            "weight": self.weight,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.models.mvae")
class KeepLosses(keras.layers.Layer):
    """Returns its first argument, and keeps the layers that give the others.

    A functional model contains only layers that lead to an output. Layers that add to
    the loss, and lead to no output, lead to this one.

    Call arguments:
        x: A tensor.
        others: A list of tensors, which are not used.

    Returns:
        `x`.
    """

    def call(self, x, others):
        return x

    def compute_output_spec(self, x, others):
        return keras.KerasTensor(x.shape, x.dtype)


def text_decoder(z, units, *, vocabulary_size):
    """A bag of words: logits `(batch, vocabulary_size)`."""
    x = layers.Dense(units, activation="relu")(z)
    return layers.Dense(vocabulary_size)(x)


def image_decoder(z, units, *, size):
    """Logits of pixels `(batch, size, size, 3)`, by two convolutions that double."""
    return _upsample(z, units, (size, size), 3)


def audio_decoder(z, units, *, frames, num_mel_bins):
    """Log-mel energy `(batch, frames, num_mel_bins)`, as for an image."""
    x = _upsample(z, units, (frames, num_mel_bins), 1)
    return layers.Reshape((frames, num_mel_bins))(x)


def vector_decoder(z, units, *, size):
    """Numbers `(batch, size)`."""
    x = layers.Dense(units, activation="relu")(z)
    return layers.Dense(size)(x)


Decoder = Callable[..., Any]
DECODERS = {
    "audio": audio_decoder,
    "image": image_decoder,
    "text": text_decoder,
    "vector": vector_decoder,
}


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    decoders: Mapping[str, Decoder] | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.
        decoders: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers)
    check_one_output(task)
    for spec in inputs:
        if spec.name in (decoders or ()):
            continue
        if spec.modality not in DECODERS or None in spec.sizes.values():
            raise ValueError(
                f"Expected inputs of one size, and of a modality with a decoder, one "
                f"of {sorted(DECODERS)}, or a decoder in `decoders`. Received: "
                f"name={spec.name!r}, modality={spec.modality!r}, "
                f"sizes={dict(spec.sizes)}."
            )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    width: int = 128,
    latent_size: int = 64,
    units: int = 64,
    elbo: Elbo | Mapping[str, Any] | None = None,
    towers: Mapping[str, Builder] | None = None,
    decoders: Mapping[str, Decoder] | None = None,
    presence: bool = True,
    name: str = "mvae",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        width: Size of the towers' outputs.
        latent_size: Width of the latent space.
        units: Channels, or size of the hidden layer, of the decoders.
        elbo: Weights of the ELBO in the loss, or its fields by name; None for `Elbo()`.
        towers: Builder by input name, instead of the default of the modality.
        decoders: Functions by input name, instead of those of the modality: called with
            a tensor `(batch, latent_size)`, `units` and the sizes of the input.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`; `generator` makes another of it.
        Inputs, by key of the spec. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`.
    """
    check_fit(inputs, task, towers, decoders)
    elbo = options_from(Elbo, elbo)

    # === Inputs and towers ===
    tensors, embedded, present = encode_all(
        inputs, width=width, pool=True, presence=presence, towers=towers
    )  # (batch, width) each

    # === Decoders and their losses ===
    z = keras.Input((latent_size,), name="z")
    decode = [_decoder(spec, decoders, z, units) for spec in inputs]
    weights = elbo.reconstruction or {}
    reconstruct = [
        Reconstruction(
            spec.modality,
            elbo.weight * weights.get(spec.name, 1.0),
            name=reconstruction_name(spec.key),
        )
        for spec in inputs
    ]

    # === Posterior, sample and reconstruction of every subset ===
    posterior, sample = ProductOfExperts(latent_size, name="fusion"), Sample()
    everything = list(range(len(inputs)))
    single = [[i] for i in everything] if len(everything) > 1 else []
    means, reconstructed = [], []
    for subset in (everything, *single):
        members = _members(subset, present, embedded)  # (batch, n)
        mean, variance = posterior(embedded, present=members, return_variance=True)
        divergence = Divergence(elbo.weight * elbo.beta)
        mean = divergence(mean, variance, ops.any(members, axis=1))
        means.append(mean)
        x = sample(mean, variance)  # (batch, latent_size)
        for i in subset:
            y = decode[i](x)
            y = reconstruct[i](y, tensors[i], members[:, i])
            reconstructed.append(y)

    # === Head ===
    keep = KeepLosses(name="posterior_mean")
    x = keep(means[0], [*means[1:], *reconstructed])  # (batch, latent_size)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def generator(model: keras.Model) -> keras.Model:
    """Makes the model that decodes a point of the latent space.

    Args:
        model: A model of `build`.

    Returns:
        A functional `keras.Model` from `(batch, latent_size)` to a dict by key of the
        input, in the units of the inputs: pixels in [0, 255], energies, numbers; for
        words the probability of each, `(batch, vocabulary_size)`.
    """
    z = keras.Input(model.get_layer("fusion").output[0].shape[1:], name="z")
    outputs = {}
    for tensor in model.inputs:
        if tensor.name == PRESENT:
            continue
        y = model.get_layer(decoder_name(tensor.name))(z)
        modality = model.get_layer(reconstruction_name(tensor.name)).modality
        if modality == "image":
            y = 255.0 * ops.sigmoid(y)
        elif modality == "text":
            y = ops.softmax(y)
        outputs[tensor.name] = y
    return keras.Model(z, outputs, name=f"{model.name}_generator")


def _decoder(spec, decoders, z, units):
    decode = (decoders or {}).get(spec.name) or DECODERS[spec.modality]
    y = decode(z, units, **spec.sizes)
    return keras.Model(z, y, name=decoder_name(spec.key))


def _members(subset, present, embedded):
    """`(batch, n)` bool: which inputs are present and in the subset."""
    columns = []
    for i, x in enumerate(embedded):
        if present is None:
            column = ops.ones_like(x[:, 0], dtype="bool")
        else:
            column = present[:, i]
        columns.append(column if i in subset else ops.zeros_like(column))
    return ops.stack(columns, axis=1)


def _upsample(z, units, size, channels):
    """Two convolutions from a quarter of the sides to `(batch, *size, channels)`."""
    rows, columns = (math.ceil(side / 4) for side in size)
    x = layers.Dense(rows * columns * units, activation="relu")(z)
    x = layers.Reshape((rows, columns, units))(x)  # a quarter of each side
    x = layers.Conv2DTranspose(units, 3, 2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(channels, 3, 2, padding="same")(x)
    return x[:, : size[0], : size[1]]


def _mean_over(each, valid):
    """The mean over the valid rows, 0 where there is none."""
    if valid is None:
        return ops.mean(each)
    weight = ops.cast(valid, each.dtype)
    return ops.sum(replace_absent(each, valid)) / ops.maximum(ops.sum(weight), 1.0)
