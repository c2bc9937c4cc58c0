"""MCAN: a question understood on its own, then a picture looked at under its guidance.

Yu et al. 2019, "Deep Modular Co-Attention Networks for Visual Question Answering",
https://arxiv.org/abs/1906.10770. Deviations: anything may be guided, a picture by the
zoo's tower or a sound, for the regions an object detector found; no dropout in the
attention weights; the word vectors are learned and not GloVe's. The presets "small" and
"large" have the published counts but for the second bias of PyTorch's LSTM.

    question --> <name>_tower --> `depth` x (self-attention, MLP) ----> pooled --.
                                                   |                             + norm
    picture --> <name>_tower --> `depth` x (self-attention,                      + head
                                   attention to the question, MLP) --> pooled ---'
"""

import functools

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import SumFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import present_softmax
from mbm_keras.tasks import classification
from mbm_keras.tasks import multi_label
from mbm_keras.towers import sequence_linear
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import valid_masks

TOWERS = {
    **DEFAULTS,
    "sequence": sequence_linear.build,
    "text": functools.partial(
        text_rnn.build, rnn=layers.LSTM, bidirectional=False, word_width=300
    ),
}

# A question on VQA 2.0, whose 100 regions are 2,048 numbers each.
VQA = dict(
    features=[
        InputSpec("question", "text", dict(vocabulary_size=20_572)),
        InputSpec("regions", "sequence", dict(size=2_048)),
    ],
    num_outputs=3_129,
    head=multi_label.head,
    output="answers",
    presence=False,
)
PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        num_outputs=3,
        width=8,
        num_heads=2,
        depth=1,
        units=16,
    ),
    "small": dict(VQA, width=512, num_heads=8, depth=6, units=1_024),
    "large": dict(
        VQA, width=1_024, num_heads=8, depth=6, units=2_048, pooling_units=512
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras")
class CoAttention(keras.layers.Layer):
    """A block of self-attention, guided attention and MLP, each normalised after it.

        x = norm(x + attention(x, x))
        x = norm(x + attention(x, guide))       only if `guided`
        x = norm(x + W_2 relu(W_1 x))

    Source: equations 3 to 6 of the paper. Deviation: none.

    Args:
        num_heads: Attention heads, `width / num_heads` wide each.
        guided: True for the attention to a guide.
        dropout: Rate of dropout after each part.

    Call arguments:
        x: `(batch, places, width)`.
        counts: `(batch, places)` bool, which places of `x` count.
        guide: `(batch, others, width)`, if `guided`.
        guide_counts: `(batch, others)` bool.

    Returns:
        `(batch, places, width)`.
    """

    def __init__(self, num_heads, guided=False, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.guided = guided
        self.dropout = dropout
        self.supports_masking = True  # the places of `x` are those of the output

    def build(
        self, x_shape, counts_shape=None, guide_shape=None, guide_counts_shape=None
    ):
        width, policy = x_shape[-1], dict(dtype=self.dtype_policy)
        places = (None, None, width)
        parts = 2 if self.guided else 1
        self.attentions = [
            layers.MultiHeadAttention(self.num_heads, width // self.num_heads, **policy)
            for _ in range(parts)
        ]
        self.norms = [layers.LayerNormalization(**policy) for _ in range(parts + 1)]
        self.wide = layers.Dense(4 * width, "relu", **policy)
        self.narrow = layers.Dense(width, **policy)
        for attention in self.attentions:
            attention.build(places, places)
        for layer in (*self.norms, self.wide):
            layer.build(places)
        self.narrow.build((None, None, 4 * width))
        self.drop = layers.Dropout(self.dropout, **policy)

    def call(self, x, counts, guide=None, guide_counts=None, training=None):
        seen = [(x, counts), (guide, guide_counts)] if self.guided else [(x, counts)]
        for attention, norm, (context, real) in zip(
            self.attentions, self.norms[:-1], seen, strict=True
        ):
            mask = ops.expand_dims(real, 1)
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


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    width=128,
    num_heads=4,
    depth=2,
    units=256,
    pooling_units=None,
    dropout=0.1,
    towers=None,
    presence=True,
    name="mcan",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what its tower needs to know. The first is the question:
            it guides how all others are looked at.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        width: Width of a word and of a region.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        depth: Blocks of the question, and of everything else.
        units: Width of the fused embedding.
        pooling_units: Size of the network that pools the places; None for `width`.
        dropout: Rate of dropout in the blocks.
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
    inputs, sequences, present = encode_all(
        features,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, places, width) each
    counts = valid_masks(sequences, present)  # (batch, places) each

    pooling_units = pooling_units or width
    question, words = sequences[0], counts[0]
    for _ in range(depth):
        question = CoAttention(num_heads, dropout=dropout)(question, words)
    pooled = [_pooled(question, words, pooling_units, dropout)]  # (batch, width)
    for x, here in zip(sequences[1:], counts[1:], strict=True):
        for _ in range(depth):
            block = CoAttention(num_heads, guided=True, dropout=dropout)
            x = block(x, here, question, words)
        pooled.append(_pooled(x, here, pooling_units, dropout))

    x = SumFusion(units, name="fusion")(pooled, present=present)  # (batch, units)
    x = layers.LayerNormalization()(x)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)


def _pooled(x, counts, units, dropout):
    """The places, each for what a small network gives it (section 3.3)."""
    score = layers.Dense(units, activation="relu")(x)
    score = layers.Dense(1)(layers.Dropout(dropout)(score))  # (batch, places, 1)
    return ops.sum(present_softmax(score, counts) * x, axis=1)  # (batch, width)
