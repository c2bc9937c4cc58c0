"""Perceiver IO: latents cross-attend to all inputs; a query cross-attends to them.

Jaegle et al. 2022, "Perceiver IO: A General Architecture for Structured Inputs &
Outputs", https://arxiv.org/abs/2107.14795. Deviations: the towers of this library come
first, where the paper has pixels and samples; one learned query per output; an MLP is
gated and four times as wide, as in the public PyTorch port, whose preset is "readme".

    input i --> <key>_tower --> [steps, Fourier positions, modality vector] --.
    latents --> attention to all steps, MLP --> blocks of (self-attention, MLP)
    query --> attention to the latents --> head
"""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import nonzero_steps
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import valid_masks


@dataclasses.dataclass(frozen=True)
class Latents:
    """The latents, and the blocks between them.

    Args:
        num_latents: Number of latents.
        width: Width of a latent.
        num_blocks: Blocks of self-attention and MLP.
        num_heads: Attention heads of these blocks; the two cross-attentions have one.
        head_width: Width of a head.
    """

    num_latents: int = 32
    width: int = 128
    num_blocks: int = 4
    num_heads: int = 4
    head_width: int = 32


def array_tower(size, *, width=None, pool=False, name="array"):
    """A tower that gives a precomputed sequence as it is.

    Args:
        size: Width of a step.
        width: Not used: a step keeps its size.
        pool: Not used: the steps stay.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, steps, size)` float32, with zeros as
        padding, to the same with its Keras mask.
    """
    array = keras.Input((None, size), name=name)
    x = AttachMask()([array, nonzero_steps(array)])
    return keras.Model([array], x, name=tower_name(name))


EPSILON = 1e-5  # of the normalizations, as in the authors' code and in the port
TOWERS: dict[str, Builder] = {**DEFAULTS, "array": array_tower}

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
            num_bands=2,
            latents=Latents(
                num_latents=4, width=8, num_blocks=1, num_heads=2, head_width=4
            ),
        )
    ),
    "readme": Preset(
        dict(
            inputs=[InputSpec("array", "array", dict(size=32))],
            task=Classification(100),
            width=32,
            num_bands=0,
            modality_width=0,
            latents=Latents(
                num_latents=256, width=512, num_blocks=6, num_heads=8, head_width=64
            ),
            query_width=32,
            presence=False,
        ),
        parameters=28_636_548 + 32,  # the port is given its query, here it is learned
        source="https://github.com/lucidrains/perceiver-pytorch",
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.perceiver_io")
class PositionAndModality(keras.layers.Layer):
    """Appends to each step its position and a vector of its modality.

        [x, sin(pi f_k p), cos(pi f_k p), p, e]     f_k = 1 ... num_bands

    where the position p goes from -1 to 1 over the steps of a row, its padding
    excluded, and e is learned, the same for all steps.

    Source: Jaegle et al. 2021, "Perceiver", https://arxiv.org/abs/2103.03206, section
    3.2, in one dimension, and section 3.2 of the paper for e. Deviations: the highest
    frequency is `num_bands`, whatever the length is; the length is that of a row.

    Args:
        num_bands: Number of frequencies; 0 for no positions.
        modality_width: Width of `e`; 0 for none.

    Input shape:
        `(batch, steps, width)`, with a Keras mask or none.

    Output shape:
        `(batch, steps, width + 2 * num_bands + 1 + modality_width)`.
    """

    def __init__(self, num_bands, modality_width, **kwargs):
        super().__init__(**kwargs)
        self.num_bands = num_bands
        self.modality_width = modality_width
        self.supports_masking = True

    def build(self, shape):
        self.modality = None
        if self.modality_width:
            normal = keras.initializers.RandomNormal(stddev=0.02)
            self.modality = self.add_weight((self.modality_width,), normal, name="e")

    def call(self, x, mask=None):
        parts = [x]
        if self.num_bands:
            p = self._place(x, mask)  # (batch, steps, 1)
            frequencies = ops.arange(1, self.num_bands + 1, dtype="float32")
            angle = math.pi * p * frequencies  # (batch, steps, num_bands)
            parts += [ops.sin(angle), ops.cos(angle), p]
        if self.modality is not None:
            # (batch, steps, modality_width)
            parts.append(ops.zeros_like(x[:, :, :1]) + self.modality)
        return ops.concatenate([ops.cast(t, x.dtype) for t in parts], axis=-1)

    def _place(self, x, mask):
        """Positions `(batch, steps, 1)`: -1 for the first, 1 for the last valid step.

        Padding has the position of the last valid step, and is not attended to.
        """
        step = ops.arange(ops.shape(x)[1], dtype="float32")
        valid = ops.ones_like(x[:, :, 0], "bool") if mask is None else mask
        last = ops.max(ops.where(valid, step, 0.0), axis=1, keepdims=True)  # (batch, 1)
        p = 2 * ops.minimum(step / ops.maximum(last, 1.0), 1.0) - 1
        return ops.expand_dims(p, -1)

    def compute_output_shape(self, shape):
        more = 2 * self.num_bands + 1 if self.num_bands else 0
        return (*shape[:-1], shape[-1] + more + self.modality_width)

    def get_config(self):
        return {
            **super().get_config(),
            "num_bands": self.num_bands,
            "modality_width": self.modality_width,
        }


@keras.saving.register_keras_serializable(package="mbm_keras.models.perceiver_io")
class Attention(keras.layers.Layer):
    """Normalization and attention, without the residual sum.

        out = W_o attention(W_q norm(x), W_k norm(c), W_v norm(c)) + b

    Source: appendix E of the paper. Deviation: W_q, W_k, W_v without bias, as in the
    public port.

    Args:
        num_heads: Attention heads.
        head_width: Width of a head.
        crosses: True for attention to a context, which has a normalization of its own.

    Call arguments:
        x: `(batch, steps, width)`.
        context: `(batch, context steps, context width)`; None for `x`.
        valid: `(batch, context steps)` bool: which steps of the context are valid; None
            for all.

    Returns:
        `(batch, steps, width)`.
    """

    def __init__(self, num_heads, head_width, crosses=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.head_width = head_width
        self.crosses = crosses

    def build(self, x_shape, context_shape=None, valid_shape=None):
        policy, inner = dict(dtype=self.dtype_policy), self.num_heads * self.head_width
        context = context_shape or x_shape
        self.norm = layers.LayerNormalization(epsilon=EPSILON, **policy)
        self.norm.build(x_shape)
        self.norm_context = None
        if self.crosses:
            self.norm_context = layers.LayerNormalization(epsilon=EPSILON, **policy)
            self.norm_context.build(context)
        self.query = layers.Dense(inner, use_bias=False, **policy)
        self.query.build(x_shape)
        self.key_value = layers.Dense(2 * inner, use_bias=False, **policy)
        self.key_value.build(context)
        self.out = layers.Dense(x_shape[-1], **policy)
        self.out.build((None, None, inner))

    def call(self, x, context=None, valid=None):
        x = self.norm(x)
        context = x if context is None else self.norm_context(context)
        query, (key, value) = self.query(x), ops.split(self.key_value(context), 2, -1)
        query, key, value = (
            ops.reshape(t, (-1, ops.shape(t)[1], self.num_heads, self.head_width))
            for t in (query, key, value)
        )  # (batch, steps, num_heads, head_width) each
        query = query / self.head_width**0.5
        score = ops.cast(ops.einsum("bqhd,bkhd->bhqk", query, key), "float32")
        if valid is not None:
            mask = ops.expand_dims(ops.expand_dims(valid, 1), 1)
            score = ops.where(mask, score, ops.full_like(score, -1e30))
        share = ops.cast(ops.softmax(score), value.dtype)
        y = ops.einsum("bhqk,bkhd->bqhd", share, value)
        y = ops.reshape(y, (-1, ops.shape(y)[1], self.num_heads * self.head_width))
        return self.out(y)

    def compute_output_shape(self, x_shape, context_shape=None, valid_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_width": self.head_width,
            "crosses": self.crosses,
        }


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    width: int = 64,
    num_bands: int = 8,
    modality_width: int = 8,
    latents: Latents | Mapping[str, Any] | None = None,
    query_width: int | None = None,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "perceiver_io",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        width: Width of a step of the towers' outputs.
        num_bands: Frequencies of the positions; 0 for no positions.
        modality_width: Width of the vector of a modality; 0 for none.
        latents: The latents and their blocks, or their fields by name; None for
            `Latents()`.
        query_width: Width of the output query; None for that of a latent.
        towers: Builder by input name, instead of the default of the modality.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
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
    check_fit(inputs, task, towers)
    sizes = options_from(Latents, latents)

    # === Inputs and towers ===
    tensors, sequences, present = encode_all(
        inputs,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, steps_i, width) each
    valid = valid_masks(sequences, present)  # (batch, steps_i) each

    # === All steps of all inputs in one sequence ===
    sequences = [PositionAndModality(num_bands, modality_width)(x) for x in sequences]
    context, context_valid = sequences[0], valid[0]
    if len(sequences) > 1:
        context = ops.concatenate(sequences, axis=1)
        context_valid = ops.concatenate(valid, axis=1)
    # (batch, all steps, width + 2 * num_bands + 1 + modality_width)

    # === Latents ===
    z = LearnedTokens(sizes.num_latents, sizes.width, name="latents")(context)
    read = Attention(1, sizes.head_width, crosses=True, name="read")
    z = layers.Add()([z, read(z, context, context_valid)])
    z = layers.Add()([z, _mlp(z)])  # (batch, num_latents, latent width)
    for _ in range(sizes.num_blocks):
        z = layers.Add()([z, Attention(sizes.num_heads, sizes.head_width)(z)])
        z = layers.Add()([z, _mlp(z)])

    # === Output query and head ===
    query = LearnedTokens(1, query_width or sizes.width, name="query")(z)
    x = Attention(1, sizes.head_width, crosses=True, name="decode")(query, z)
    x = layers.Flatten()(x)  # (batch, query width)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def _mlp(x):
    """Two layers, the first gated: W_2 (a * gelu(b)), [a, b] = W_1 norm(x)."""
    y = layers.Dense(8 * x.shape[-1])(layers.LayerNormalization(epsilon=EPSILON)(x))
    a, b = ops.split(y, 2, axis=-1)  # (batch, steps, 4 * width) each
    return layers.Dense(x.shape[-1])(a * ops.gelu(b, approximate=False))
