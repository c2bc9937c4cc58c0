"""Perceiver IO: latents read everything there is, and are asked for what is wanted.

Jaegle et al. 2022, "Perceiver IO: A General Architecture for Structured Inputs &
Outputs", https://arxiv.org/abs/2107.14795. Deviations: the zoo's towers in front, where
the paper has pixels and samples; one learned question per answer. The preset "readme"
has the count of the public PyTorch port of that name, and the question's 32 beside it.

    input i --> <name>_tower --> [places, Fourier positions, what modality] --.
    latents --> attention to all places, MLP --> `depth` x (self-attention, MLP)
    question --> attention to the latents --> head
"""

import math

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import nonzero_steps
from mbm_keras.tasks import classification
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import valid_masks


def array_tower(size, *, width=None, pool=False, name="array"):
    """A sequence as it is, for what was prepared elsewhere.

    Args:
        size: Width of a place.
        width: Not asked for: a place keeps its size.
        pool: Not asked for: the places stay.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, places, size)` float32, places of zeros
        being padding, to the same with its Keras mask.
    """
    array = keras.Input((None, size), name=name)
    x = AttachMask()([array, nonzero_steps(array)])
    return keras.Model([array], x, name=tower_name(name))


TOWERS = {**DEFAULTS, "array": array_tower}

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        num_outputs=3,
        width=8,
        bands=2,
        latents=4,
        latent_width=8,
        depth=1,
        num_heads=2,
        key_width=4,
    ),
    "readme": dict(
        features=[InputSpec("array", "array", dict(size=32))],
        num_outputs=100,
        width=32,
        bands=0,
        kind_width=0,
        latents=256,
        latent_width=512,
        depth=6,
        num_heads=8,
        key_width=64,
        question_width=32,
        presence=False,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class PositionAndModality(keras.layers.Layer):
    """Where a place is in its sequence, and of which modality, beside what it holds.

        [x, sin(pi f_k p), cos(pi f_k p), p, e]     p from -1 to 1, f_k = 1 ... bands

    with `e` learned, the same for all places.

    Source: Jaegle et al. 2021, "Perceiver", https://arxiv.org/abs/2103.03206, section
    3.2, in one dimension, and section 3.2 of the paper for e. Deviation: the highest
    frequency is `bands`, whatever the length is.

    Args:
        bands: Number of frequencies; 0 for no positions.
        kind_width: Width of `e`; 0 for none.

    Input shape:
        `(batch, places, width)`, with a Keras mask or none.

    Output shape:
        `(batch, places, width + 2 * bands + 1 + kind_width)`.
    """

    def __init__(self, bands, kind_width, **kwargs):
        super().__init__(**kwargs)
        self.bands = bands
        self.kind_width = kind_width
        self.supports_masking = True

    def build(self, shape):
        self.kind = None
        if self.kind_width:
            normal = keras.initializers.RandomNormal(stddev=0.02)
            self.kind = self.add_weight((self.kind_width,), normal, name="e")

    def call(self, x):
        parts, places = [], ops.shape(x)[1]
        if self.bands:
            step = ops.arange(places, dtype="float32")
            last = ops.maximum(ops.cast(places, "float32") - 1, 1.0)
            p = ops.expand_dims(2 * step / last - 1, -1)  # (places, 1)
            angle = math.pi * p * ops.arange(1, self.bands + 1, dtype="float32")
            parts += [ops.sin(angle), ops.cos(angle), p]
        if self.kind is not None:
            parts.append(ops.repeat(ops.expand_dims(self.kind, 0), places, axis=0))
        if not parts:
            return x
        parts = ops.concatenate([ops.cast(t, x.dtype) for t in parts], axis=-1)
        parts = ops.repeat(ops.expand_dims(parts, 0), ops.shape(x)[0], axis=0)
        return ops.concatenate([x, parts], axis=-1)

    def compute_output_shape(self, shape):
        more = 2 * self.bands + 1 if self.bands else 0
        return (*shape[:-1], shape[-1] + more + self.kind_width)

    def get_config(self):
        config = {"bands": self.bands, "kind_width": self.kind_width}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="mbm_keras")
class Attention(keras.layers.Layer):
    """Normalise, attend, and no more: what is added is the caller's business.

        out = W_o attention(W_q norm(x), W_k norm(c), W_v norm(c)) + b

    Source: appendix E of the paper. Deviation: none; W_q, W_k, W_v without bias as in
    the public port.

    Args:
        num_heads: Attention heads.
        key_width: Width of a head.
        crosses: True for attention to a context of its own normalisation.

    Call arguments:
        x: `(batch, places, width)`.
        context: `(batch, others, context width)`; None for `x`.
        counts: `(batch, others)` bool, which places of the context count; None for all.

    Returns:
        `(batch, places, width)`.
    """

    def __init__(self, num_heads, key_width, crosses=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_width = key_width
        self.crosses = crosses

    def build(self, x_shape, context_shape=None, counts_shape=None):
        policy, inner = dict(dtype=self.dtype_policy), self.num_heads * self.key_width
        context = context_shape or x_shape
        self.norm = layers.LayerNormalization(**policy)
        self.norm.build(x_shape)
        self.norm_context = None
        if self.crosses:
            self.norm_context = layers.LayerNormalization(**policy)
            self.norm_context.build(context)
        self.query = layers.Dense(inner, use_bias=False, **policy)
        self.query.build(x_shape)
        self.key_value = layers.Dense(2 * inner, use_bias=False, **policy)
        self.key_value.build(context)
        self.out = layers.Dense(x_shape[-1], **policy)
        self.out.build((None, None, inner))

    def call(self, x, context=None, counts=None):
        x = self.norm(x)
        context = x if context is None else self.norm_context(context)
        query, (key, value) = self.query(x), ops.split(self.key_value(context), 2, -1)
        query, key, value = (
            ops.reshape(t, (-1, ops.shape(t)[1], self.num_heads, self.key_width))
            for t in (query, key, value)
        )
        score = ops.einsum("bqhd,bkhd->bhqk", query, key) / self.key_width**0.5
        if counts is not None:
            here = ops.expand_dims(ops.expand_dims(counts, 1), 1)
            score = ops.where(here, score, ops.full_like(score, -1e4))
        y = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(score), value)
        y = ops.reshape(y, (-1, ops.shape(y)[1], self.num_heads * self.key_width))
        return self.out(y)

    def compute_output_shape(self, x_shape, context_shape=None, counts_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_width": self.key_width,
            "crosses": self.crosses,
        }


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    width=64,
    bands=8,
    kind_width=8,
    latents=32,
    latent_width=128,
    depth=4,
    num_heads=4,
    key_width=32,
    question_width=None,
    towers=None,
    presence=True,
    name="perceiver_io",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what its tower needs to know.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Width of a place, behind the towers.
        bands: Frequencies of the positions; 0 for no positions.
        kind_width: Width of what tells the modality of a place; 0 for nothing.
        latents: Number of latents.
        latent_width: Width of a latent.
        depth: Blocks among the latents.
        num_heads: Attention heads among the latents; reading and asking have one.
        key_width: Width of a head.
        question_width: Width of the question; None for that of a latent.
        towers: Builder by input name, where the default of its modality will not do.
        presence: True to take the input `present`, for rows in which an input is
            absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, those that `features` lists. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name:
            label: `(batch, num_outputs)` float32 logits.

    Raises:
        ValueError: If a modality has no tower.
    """
    inputs, places, present = encode_all(
        features,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, places, width) each
    counts = valid_masks(places, present)  # (batch, places) each
    # (batch, places, width + 2 bands + 1 + kind_width)
    places = [PositionAndModality(bands, kind_width)(x) for x in places]
    everything, here = places[0], counts[0]
    if len(places) > 1:
        everything = ops.concatenate(places, axis=1)
        here = ops.concatenate(counts, axis=1)

    z = LearnedTokens(latents, latent_width, name="latents")(everything)
    read = Attention(1, key_width, crosses=True, name="reading")
    z = layers.Add()([z, read(z, everything, here)])
    z = layers.Add()([z, _mlp(z)])  # (batch, latents, latent_width)
    for _ in range(depth):
        z = layers.Add()([z, Attention(num_heads, key_width)(z)])
        z = layers.Add()([z, _mlp(z)])

    question = LearnedTokens(1, question_width or latent_width, name="question")(z)
    asked = Attention(1, key_width, crosses=True, name="asking")(question, z)
    x = layers.Flatten()(asked)  # (batch, question_width)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)


def _mlp(x):
    """Two layers, the first gated: W_2 (a * gelu(b)), [a, b] = W_1 norm(x)."""
    y = layers.Dense(8 * x.shape[-1])(layers.LayerNormalization()(x))
    a, b = ops.split(y, 2, axis=-1)
    return layers.Dense(x.shape[-1])(a * ops.gelu(b, approximate=False))
