"""MVAE: one latent space for all modalities, whichever of them are there.

Wu and Goodman 2018, "Multimodal Generative Models for Scalable Weakly-Supervised
Learning", https://arxiv.org/abs/1802.05335. Deviations: a head reads the mean of the
joint posterior, as in MultiBench (https://arxiv.org/abs/2107.07502), and its loss comes
beside; the zoo's towers are the encoders; the subsets that are trained on are all that
is there and each modality alone, without random ones; words are reconstructed as a bag.

    input i --> <name>_tower --> Gaussian i --.
    ...                                       +--> product --> mean --> head
    present ----------------------------------'       |
                                    a draw --> <name>_decoder --> reconstruction i

    loss = task + elbo * (ELBO(all) + sum_i ELBO(i alone))
    ELBO(s) = sum of -log p(x_i | z) over i in s + beta * KL(q(z | s), N(0, 1))

with each -log p the mean over what an input consists of: pixels, bands, words.
"""

import math

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import ProductOfExperts
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import decoder_name
from mbm_keras.layers import replace_absent
from mbm_keras.tasks import classification
from mbm_keras.towers.encode import encode_all

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        num_outputs=3,
        width=8,
        latent=8,
        units=8,
        elbo=0.01,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class Draw(keras.layers.Layer):
    """A draw from a Gaussian while training, its mean otherwise.

    Call arguments:
        mean: `(batch, latent)`.
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


@keras.saving.register_keras_serializable(package="mbm_keras")
class Divergence(keras.layers.Layer):
    """Adds the divergence of a Gaussian from N(0, 1) to the loss.

        KL = sum (mu^2 + sigma^2 - 1 - log sigma^2) / 2

    Args:
        weight: What it is multiplied by.

    Call arguments:
        mean: `(batch, latent)`.
        variance: The same shape.
        counts: `(batch,)` bool, which rows count; None for all.

    Returns:
        The mean, as it is.
    """

    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, mean, variance, counts=None):
        mu, var = (ops.cast(t, "float32") for t in (mean, variance))
        each = ops.sum(ops.square(mu) + var - 1 - ops.log(var), axis=1) / 2
        self.add_loss(self.weight * _mean_over(each, counts))
        return mean

    def compute_output_shape(self, mean_shape, variance_shape=None, counts_shape=None):
        return mean_shape

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable(package="mbm_keras")
class Reconstruction(keras.layers.Layer):
    """Adds -log p(x | z) to the loss, for what a decoder made of z.

        image   Bernoulli: the cross-entropy of every pixel, x / 255 as its chance
        text    categorical: the cross-entropy of every word, from one bag of words
        others  Gaussian of a variance that is learned: (x - y)^2 / s + log s, halved

    Args:
        kind: `"image"`, `"text"` or another.
        weight: What it is multiplied by.

    Call arguments:
        made: What the decoder gives.
        x: The input, `(batch, ...)`.
        counts: `(batch,)` bool, which rows count; None for all.

    Returns:
        `made`, as it is.
    """

    def __init__(self, kind, weight, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind
        self.weight = weight

    def build(self, made_shape, x_shape=None, counts_shape=None):
        self.log_s = None
        if self.kind not in ("image", "text"):
            self.log_s = self.add_weight((), "zeros", dtype="float32", name="log_s")

    def call(self, made, x, counts=None):
        y = ops.cast(made, "float32")
        if counts is not None:  # what is absent may be anything, NaN too
            x = replace_absent(x, counts)
        if self.kind == "image":
            each = ops.binary_crossentropy(
                ops.cast(x, "float32") / 255.0, y, from_logits=True
            )
        elif self.kind == "text":
            said = ops.take_along_axis(ops.log_softmax(y), ops.cast(x, "int32"), axis=1)
            word = ops.cast(x != 0, "float32")
            number = ops.maximum(ops.sum(word, axis=1), 1.0)
            each = -ops.sum(said * word, axis=1) / number
        else:
            log_s = ops.cast(self.log_s, "float32")
            off = ops.square(ops.cast(x, "float32") - y)
            each = (off * ops.exp(-log_s) + log_s) / 2
        each = ops.mean(ops.reshape(each, (ops.shape(x)[0], -1)), axis=1)
        self.add_loss(self.weight * _mean_over(each, counts))
        return made

    def compute_output_shape(self, made_shape, x_shape=None, counts_shape=None):
        return made_shape

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "weight": self.weight}


@keras.saving.register_keras_serializable(package="mbm_keras")
class KeepLosses(keras.layers.Layer):
    """The first of its arguments; the others have done their work on the way.

    A functional model runs what leads to its output, and what adds to the loss has to
    lead there too.
    """

    def call(self, x, others):
        return x

    def compute_output_spec(self, x, others):
        return keras.KerasTensor(x.shape, x.dtype)


def text_decoder(latent, units, *, vocabulary_size):
    """A bag of words: logits over the vocabulary."""
    x = layers.Dense(units, activation="relu")(latent)
    return layers.Dense(vocabulary_size)(x)


def image_decoder(latent, units, *, size):
    """Logits of pixels, by two convolutions that double."""
    return _grown(latent, units, (size, size), 3)


def audio_decoder(latent, units, *, frames, num_mel_bins):
    """Log-mel energy, by two convolutions that double."""
    x = _grown(latent, units, (frames, num_mel_bins), 1)
    return layers.Reshape((frames, num_mel_bins))(x)


def vector_decoder(latent, units, *, size):
    """Numbers."""
    x = layers.Dense(units, activation="relu")(latent)
    return layers.Dense(size)(x)


DECODERS = {
    "audio": audio_decoder,
    "image": image_decoder,
    "text": text_decoder,
    "vector": vector_decoder,
}


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    width=128,
    latent=64,
    units=64,
    elbo=0.1,
    beta=0.01,
    weights=None,
    towers=None,
    decoders=None,
    presence=True,
    name="mvae",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what tower and decoder need to know.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Size of what the towers give.
        latent: Width of the latent space.
        units: Channels, or size of the hidden layer, of the decoders.
        elbo: What the ELBOs count beside the task.
        beta: What the divergence counts in an ELBO, whose other parts are means.
        weights: By input name, what its reconstruction counts; 1 where not given.
        towers: Builder by input name, where the default of its modality will not do.
        decoders: By input name, what makes a decoder: called with a tensor
            `(batch, latent)`, `units` and the sizes of the feature.
        presence: True to take the input `present`, for rows in which an input is
            absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`; `generator` makes another of it.
        Inputs, by name, those that `features` lists. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name:
            label: `(batch, num_outputs)` float32 logits.

    Raises:
        ValueError: If a modality has no tower or no decoder.
    """
    inputs, embedded, present = encode_all(
        features, width=width, pool=True, presence=presence, towers=towers
    )  # (batch, width) each
    z = keras.Input((latent,), name="z")
    written = [_decoder(feature, decoders, z, units) for feature in features]
    said = [
        Reconstruction(
            feature.modality,
            elbo * (weights or {}).get(feature.name, 1.0),
            name=f"{feature.name}_reconstruction",
        )
        for feature in features
    ]
    posterior, draw = ProductOfExperts(latent, name="fusion"), Draw(name="draw")
    everything = list(range(len(features)))
    alone = [[i] for i in everything] if len(everything) > 1 else []
    means, beside = [], []
    for subset in (everything, *alone):
        here = _members(subset, present, embedded)  # (batch, n)
        mean, variance = posterior(embedded, present=here, return_variance=True)
        mean = Divergence(elbo * beta)(mean, variance, ops.any(here, axis=1))
        means.append(mean)
        drawn = draw(mean, variance)  # (batch, latent)
        for i in subset:
            beside.append(said[i](written[i](drawn), inputs[i], here[:, i]))

    joined = KeepLosses(name="posterior_mean")
    x = joined(means[0], [*means[1:], *beside])  # (batch, latent)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)


def generator(model):
    """What a model makes of a point of its latent space.

    Args:
        model: What `build` made.

    Returns:
        A functional `keras.Model` from `(batch, latent)` to a dict by input name, in
        the units of the inputs: pixels in [0, 255], energies, numbers; for words, how
        likely each of the vocabulary is, `(batch, vocabulary_size)`.
    """
    z = keras.Input(model.get_layer("fusion").output[0].shape[1:], name="z")
    made = {}
    for layer in model.layers:
        if isinstance(layer, Reconstruction):
            name = layer.name.removesuffix("_reconstruction")
            y = model.get_layer(f"{name}_decoder")(z)
            if layer.kind == "image":
                y = 255.0 * ops.sigmoid(y)
            elif layer.kind == "text":
                y = ops.softmax(y)
            made[name] = y
    return keras.Model(z, made, name=f"{model.name}_generator")


def _decoder(feature, decoders, z, units):
    name, modality = feature.name, feature.modality
    decode = (decoders or {}).get(name) or DECODERS.get(modality)
    if decode is None:
        raise ValueError(
            f"There is a decoder for {sorted(DECODERS)}. Give another modality its own "
            f"in `decoders`. Received: feature={feature}."
        )
    made = decode(z, units, **feature.sizes)
    return keras.Model(z, made, name=decoder_name(feature.key))


def _members(subset, present, embedded):
    """`(batch, n)` bool: what is both present and in the subset."""
    columns = []
    for i, x in enumerate(embedded):
        if present is None:
            here = ops.ones_like(x[:, 0], dtype="bool")
        else:
            here = present[:, i]
        columns.append(here if i in subset else ops.zeros_like(here))
    return ops.stack(columns, axis=1)


def _grown(latent, units, size, channels):
    """`(batch, *size, channels)` from a quarter of the sides."""
    rows, columns = (math.ceil(side / 4) for side in size)
    x = layers.Dense(rows * columns * units, activation="relu")(latent)
    x = layers.Reshape((rows, columns, units))(x)
    x = layers.Conv2DTranspose(units, 3, 2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(channels, 3, 2, padding="same")(x)
    return x[:, : size[0], : size[1]]


def _mean_over(each, counts):
    """The mean over the rows that count, 0 where none does."""
    if counts is None:
        return ops.mean(each)
    weight = ops.cast(counts, each.dtype)
    return ops.sum(replace_absent(each, counts)) / ops.maximum(ops.sum(weight), 1.0)
