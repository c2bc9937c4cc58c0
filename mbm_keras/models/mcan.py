"""MCAN: a question is encoded by itself and then guides attention to an image.

Yu et al. 2019, "Deep Modular Co-Attention Networks for Visual Question Answering",
https://arxiv.org/abs/1906.10770. Deviations: any input may be guided, such as an image
with the tower of this library or a sound, where the paper has the regions of an object
detector; the word vectors are learned, those of the paper are GloVe's. The presets
"small" and "large" are the paper's.

    question --> <key>_tower --> blocks of (self-attention, MLP) -----> pooled --.
                                                   |                             + norm
    image --> <key>_tower --> blocks of (self-attention,                         + head
                                 attention to the question, MLP) -----> pooled --'
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import SumFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import present_softmax
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers import sequence_linear
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs
from mbm_keras.towers.encode import valid_masks

TOWERS: dict[str, Builder] = {
    **DEFAULTS,
    "sequence": sequence_linear.build,
    "text": functools.partial(
        text_rnn.build, rnn=layers.LSTM, bidirectional=False, word_width=300
    ),
}

CODE = "https://github.com/MILVLG/mcan-vqa"
# A question of VQA 2.0, and 100 regions of an image with 2,048 numbers each. PyTorch's
# LSTM has a second bias of 4 * width, which adds nothing.
VQA = dict(
    inputs=[
        InputSpec("question", "text", dict(vocabulary_size=20_572)),
        InputSpec("regions", "sequence", dict(size=2_048)),
    ],
    task=MultiLabel(3_129, "answers"),
    num_heads=8,
    num_blocks=6,
    presence=False,
)
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
            num_heads=2,
            num_blocks=1,
            units=16,
        )
    ),
    "small": Preset(
        dict(VQA, width=512, units=1_024),
        parameters=57_812_491 - 4 * 512,
        source=CODE,
    ),
    "large": Preset(
        dict(VQA, width=1_024, units=2_048, pooling_units=512),
        parameters=201_722_891 - 4 * 1_024,
        source=CODE,
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mcan")
class UnbiasedNorm(keras.layers.Layer):
    """Layer normalization by the unbiased standard deviation.

        out = a (x - mean) / (std + epsilon) + b,   std^2 = sum (x - mean)^2 / (n - 1)

    over the last axis, with its size n.

    Source: the authors' code. Deviation: the gradient of std is 0 where std is below
    1e-6, where theirs is not a number.

    Args:
        epsilon: float > 0.

    Call arguments:
        x: `(..., width)`, float, with `width` > 1.

    Returns:
        The shape and dtype of `x`, with its mask.
    """

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, shape):
        self.a = self.add_weight((shape[-1],), "ones", name="a")
        self.b = self.add_weight((shape[-1],), "zeros", name="b")

    def call(self, x):
        x = ops.cast(x, "float32")
        x = x - ops.mean(x, axis=-1, keepdims=True)
        square = ops.sum(ops.square(x), axis=-1, keepdims=True)
        std = ops.sqrt(ops.maximum(square / (x.shape[-1] - 1), 1e-12))
        x = ops.cast(self.a, "float32") * x / (std + self.epsilon)
        return ops.cast(x + ops.cast(self.b, "float32"), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mcan")
class CoAttention(keras.layers.Layer):
    """A block of self-attention, guided attention and MLP, each followed by a norm.

        x = norm(x + attention(x, x))
        x = norm(x + attention(x, guide))       only if `guided`
        x = norm(x + W_2 relu(W_1 x))

    Source: equations 3 to 6 of the paper, and the authors' code for the norm.
    Deviation: none.

    Args:
        num_heads: Attention heads, `width / num_heads` wide each.
        guided: True for the attention to a guide.
        dropout: Rate of dropout of attention weights, of the hidden layer, and after
            each part.

    Call arguments:
        x: `(batch, steps, width)`.
        valid: `(batch, steps)` bool: which steps of `x` are valid.
        guide: `(batch, guide steps, width)`, if `guided`.
        guide_valid: `(batch, guide steps)` bool, if `guided`.

    Returns:
        `(batch, steps, width)`.
    """

    def __init__(self, num_heads, guided=False, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.guided = guided
        self.dropout = dropout
        self.supports_masking = True  # the steps of `x` are those of the output

    def build(
        self, x_shape, valid_shape=None, guide_shape=None, guide_valid_shape=None
    ):
        width, policy = x_shape[-1], dict(dtype=self.dtype_policy)
        sequence = (None, None, width)
        num_attentions = 2 if self.guided else 1
        self.attentions = [
            layers.MultiHeadAttention(
                self.num_heads, width // self.num_heads, dropout=self.dropout, **policy
            )
            for _ in range(num_attentions)
        ]
        self.norms = [UnbiasedNorm(**policy) for _ in range(num_attentions + 1)]
        self.wide = layers.Dense(4 * width, "relu", **policy)
        self.narrow = layers.Dense(width, **policy)
        for attention in self.attentions:
            attention.build(sequence, sequence)
        for layer in (*self.norms, self.wide):
            layer.build(sequence)
        self.narrow.build((None, None, 4 * width))
        self.drop = layers.Dropout(self.dropout, **policy)

    def call(self, x, valid, guide=None, guide_valid=None, training=None):
        contexts = [(x, valid), (guide, guide_valid)] if self.guided else [(x, valid)]
        for attention, norm, (context, context_valid) in zip(
            self.attentions, self.norms[:-1], contexts, strict=True
        ):
            mask = ops.expand_dims(context_valid, 1)
            y = attention(x, context, attention_mask=mask, training=training)
            x = norm(x + self.drop(y, training=training))
        y = self.narrow(self.drop(self.wide(x), training=training))
        return self.norms[-1](x + self.drop(y, training=training))

    def compute_output_shape(self, x_shape, *others, **more):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "guided": self.guided,
            "dropout": self.dropout,
        }


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    question: str | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.
        question: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)
    if len(inputs) < 2 or _question(inputs, question) is None:
        raise ValueError(
            "Expected two or more inputs, one of them a text or named by `question`. "
            f"Received: inputs={list_inputs(inputs)}, question={question!r}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    question: str | None = None,
    width: int = 128,
    num_heads: int = 4,
    num_blocks: int = 2,
    units: int = 256,
    pooling_units: int | None = None,
    dropout: float = 0.1,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "mcan",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        question: Name of the input that guides the attention to all others; None for
            the first text.
        width: Width of a word and of a region.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        num_blocks: Blocks of the question, and of every other input.
        units: Width of the fused embedding.
        pooling_units: Size of the network that pools a sequence; None for `width`.
        dropout: Rate of dropout in the blocks.
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
    check_fit(inputs, task, towers, question)

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
    pooling_units = pooling_units or width
    pooled = {}

    # === The question, by itself ===
    q = _question(inputs, question)
    words = sequences[q]
    for _ in range(num_blocks):
        words = CoAttention(num_heads, dropout=dropout)(words, valid[q])
    pooled[q] = _pool(words, valid[q], pooling_units, dropout)  # (batch, width)

    # === Every other input, guided by the question ===
    for i, x in enumerate(sequences):
        if i == q:
            continue
        for _ in range(num_blocks):
            block = CoAttention(num_heads, guided=True, dropout=dropout)
            x = block(x, valid[i], words, valid[q])
        pooled[i] = _pool(x, valid[i], pooling_units, dropout)  # (batch, width)

    # === Fusion and head ===
    embedded = [pooled[i] for i in range(len(inputs))]
    x = SumFusion(units, name="fusion")(embedded, present=present)  # (batch, units)
    x = UnbiasedNorm()(x)
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)


def _question(inputs, question):
    """Index of the input that guides, None if there is none."""
    for i, spec in enumerate(inputs):
        if spec.name == question or (question is None and spec.modality == "text"):
            return i
    return None


def _pool(x, valid, units, dropout):
    """The mean over the steps, weighted by a small network (section 3.3)."""
    score = layers.Dense(units, activation="relu")(x)
    score = layers.Dense(1)(layers.Dropout(dropout)(score))  # (batch, steps, 1)
    return ops.sum(present_softmax(score, valid) * x, axis=1)  # (batch, width)
