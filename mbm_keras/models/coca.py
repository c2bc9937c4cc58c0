"""CoCa: contrastive captioners, which match images with texts and write texts at once.

Yu et al. 2022, "CoCa: Contrastive Captioners are Image-Text Foundation Models",
https://arxiv.org/abs/2205.01917, sections 3.1 and 3.2.

    image --> image_tower --> pooler of n + 1 queries --> i, v_1 .. v_n
    words --> causal blocks, [CLS] at the end --> t at [CLS], h_1 .. h_T
    h --> causal blocks that attend to v --> p(y_t)
    loss = contrastive weight * contrast(i, t) + caption weight * sum_t -log p(y_t)

[CLS] sees every word and itself, and no padding: its embedding does not depend on how
far a text is padded. No word sees it.

Deviations: any tower for the image; the weight of the loss of captions is 1 and that of
the contrast is in proportion, as Keras adds losses; two rows with the same text are not
an example of what does not match; contrast is within a batch of one device; rotary
positions by default; the output has the embeddings of the words unless `tied` is false;
see `mbm_keras.layers.DecoderBlock`.

`build` returns the model that trains on captions, `writer` the model that writes them,
`image_encoder` and `text_encoder` the models whose embeddings are compared.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.layers import AfterStart
from mbm_keras.layers import DecoderSizes
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import TransformerDecoder
from mbm_keras.layers import to_unit_length
from mbm_keras.layers.contrastive import softmax_pairs
from mbm_keras.models import git
from mbm_keras.models import text_decoder
from mbm_keras.models.text_decoder import for_inference
from mbm_keras.models.text_decoder import writer
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.towers.encode import MEMORY
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import encode

__all__ = [
    "PRESETS", "AddContrast", "ContrastiveDecoder", "EmbedText", "LossWeights",
    "ToUnitLength", "build", "check_fit", "for_inference", "image_encoder",
    "text_encoder", "writer",
]  # fmt: skip

PACKAGE = "mbm_keras.models.coca"
IMAGE, TEXT = "embed_image", "embed_text"  # layers that give the embeddings
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=16))],
            task=Captioning(12, 6),
            width=16,
            blocks=dict(num_blocks=2, num_heads=2, num_unimodal=1),
            num_queries=3,
        )
    ),
    # Without the image encoder, a ViT-B of 86 M; the paper counts 297 M for the blocks
    # and the words, and not the pooler and the two projections of 3.7 M.
    "base": Preset(
        dict(
            inputs=[InputSpec("regions", "sequence", dict(size=768))],
            task=Captioning(64_001, 64, end=2),
            width=768,
            blocks=dict(
                num_blocks=24,
                num_heads=12,
                num_positions=64,
                num_unimodal=12,
                tied=False,
            ),
            num_queries=256,
        ),
        parameters=300_573_697,
        source="https://arxiv.org/abs/2205.01917, table 1",
    ),
}


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the two losses. Those of the paper are the default.

    Args:
        contrastive: float >= 0, of the contrast between images and texts.
        caption: float > 0, of the captions.
    """

    contrastive: float = 1.0
    caption: float = 2.0

    def __post_init__(self):
        if self.contrastive < 0 or self.caption <= 0:
            raise ValueError(
                f"Expected contrastive >= 0 and caption > 0. Received: {self}."
            )


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Compares inputs and task with what this model can be built for.

    Args:
        inputs: List of `InputSpec`.
        task: A task.
        towers: As for `build`.

    Raises:
        ValueError: If they are not one image, or the regions of one, and a
            `Captioning`.
    """
    git.check_fit(inputs, task, towers)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Captioning,
    width: int = 128,
    blocks: DecoderSizes | Mapping[str, Any] | None = None,
    num_queries: int = 32,
    losses: LossWeights | Mapping[str, Any] = LossWeights(),
    dropout: float = 0.1,
    towers: Mapping[str, Builder] | None = None,
    name: str = "coca",
) -> keras.Model:
    """Builds the model that trains on captions.

    Args:
        inputs: A list of one `InputSpec`: an image, or a `"sequence"` of regions that
            another network computed.
        task: A `Captioning`. A text begins after the id of its end.
        width: Size of the vector of a word, of a step of the image and of an embedding.
        blocks: A `mbm_keras.layers.DecoderSizes`, or its fields by name, as a plan has
            them. Its `num_unimodal` blocks, the first half if it is 0, see the words
            alone.
        num_queries: Steps of the image that the words attend to.
        losses: `LossWeights`, or its fields by name.
        dropout: Rate of dropout of words and residuals.
        towers: Builder by input name, instead of the default of its modality.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, with the names of the preset "tiny":
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1]; or regions: `(batch,
                regions, width)` float32.
            words_teacher: `(batch, length)` int32, the target: words and their end, 0
                = padding. `task.feed` adds it to a batch. A word is predicted from the
                words before it alone.
        Outputs, by name, with the name of the task:
            words: `(batch, length, vocabulary_size)` float32 logits.

    Raises:
        ValueError: See `check_fit`; or if a size or a weight is out of range.
    """
    check_fit(inputs, task, towers)
    sizes = options_from(DecoderSizes, blocks)
    weights = options_from(LossWeights, losses)
    if sizes.num_unimodal == 0:
        sizes = dataclasses.replace(sizes, num_unimodal=sizes.num_blocks // 2)
    if num_queries < 1 or not 0 < sizes.num_unimodal < sizes.num_blocks:
        raise ValueError(
            "Expected num_queries >= 1 and 0 < num_unimodal < num_blocks. Received: "
            f"num_queries={num_queries}, num_unimodal={sizes.num_unimodal}, "
            f"num_blocks={sizes.num_blocks}."
        )

    # The image: an embedding and (batch, num_queries, width)
    image, regions = encode(
        inputs[0], width=width, pool=False, towers=towers, defaults=git.TOWERS
    )
    queries = LearnedTokens(num_queries + 1, width, name="pooler_queries")(regions)
    pooled = layers.MultiHeadAttention(
        sizes.num_heads, width // sizes.num_heads, name="pooler"
    )(queries, regions)  # (batch, num_queries + 1, width)
    pooled = layers.LayerNormalization(epsilon=1e-5, name="pooler_norm")(pooled)
    embedded = layers.Dense(width, use_bias=False, name=IMAGE)(pooled[:, 0])
    memory = pooled[:, 1:]
    valid = ops.ones_like(memory[:, :, 0], dtype="bool")
    memory, valid = layers.Identity(name=MEMORY)([memory, valid])

    # The words: their embedding, and logits of each, from the words before.
    teacher = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
    decoder = ContrastiveDecoder(
        task.vocabulary_size, width, sizes, "cross", task.end, dropout
    )
    logits, text = decoder(AfterStart(task.end)(teacher), memory, valid)
    text = layers.Dense(width, use_bias=False, name=TEXT)(text)
    weight = weights.contrastive / weights.caption
    logits = AddContrast(weight)(logits, embedded, text, teacher)
    words = task.output(logits, output_name(task.name, inputs))
    return TaskModel([image, teacher], {task.name: words}, name=name)


def image_encoder(model: keras.Model) -> keras.Model:
    """The model that embeds an image.

    Args:
        model: What `build` returned.

    Returns:
        A functional `keras.Model` of the image. Output: `(batch, width)` float32 of
        length 1.
    """
    embedding = ToUnitLength()(model.get_layer(IMAGE).output)
    return keras.Model(model.inputs[0], embedding, name=f"{model.name}_image_encoder")


def text_encoder(model: keras.Model) -> keras.Model:
    """The model that embeds a text, in the space of `image_encoder`.

    Args:
        model: What `build` returned.

    Returns:
        A functional `keras.Model` of `(batch, length)` int32, words and their end as
        in training. Output: `(batch, width)` float32 of length 1.
    """
    decoder = text_decoder.decoder_of(model)
    text = keras.Input((None,), dtype="int32", name="text")
    x = EmbedText(decoder, name="text_blocks")(AfterStart(decoder.start)(text))
    embedding = ToUnitLength()(model.get_layer(TEXT)(x))
    return keras.Model(text, embedding, name=f"{model.name}_text_encoder")


@keras.saving.register_keras_serializable(package=PACKAGE)
class ContrastiveDecoder(TransformerDecoder):
    """A decoder whose first blocks also give an embedding of the text.

    Source: Yu et al. 2022, "CoCa", https://arxiv.org/abs/2205.01917, section 3.2.
    Deviation: see the module.

    The arguments and those of the call are those of `TransformerDecoder`.

    Returns:
        Logits as `TransformerDecoder` gives them; and `(batch, width)`, the output of
        the first `sizes.num_unimodal` blocks at [CLS], normalized.
    """

    def build(self, text_shape=None, memory_shape=None, valid_shape=None):
        super().build(text_shape, memory_shape, valid_shape)
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.cls = self.add_weight((1, self.width), normal, name="cls")
        self.cls_norm = layers.LayerNormalization(
            epsilon=self.sizes.epsilon,
            center=self.sizes.use_bias,
            dtype=self.dtype_policy,
        )
        self.cls_norm.build((None, self.width))

    def call(self, text, memory=None, valid=None, training=None):
        self.check_steps(text.shape[1])
        x, mask, angles, embedding = self._read(text, training)
        crossed = self._read_memory(memory, valid)
        first = self.sizes.num_unimodal
        for block, read in zip(self.blocks[first:], crossed[first:], strict=True):
            x, _, _ = block(x, mask, angles, read, training=training)
        return self._logits(x), embedding

    def embed_text(self, text: Any, training: bool = False) -> Any:
        """The embedding alone, `(batch, width)`."""
        return self._read(text, training)[-1]

    def _read(self, text, training):
        """The words after the first blocks, and the output at [CLS]."""
        x, mask, angles = self._arrange(text, None, None, training)
        like = x[:, :1]
        cls = ops.zeros_like(like) + ops.cast(self.cls, x.dtype)
        x = ops.concatenate([x, cls], axis=1)  # (batch, steps + 1, width)
        seen = text > 0
        itself = ops.ones_like(seen[:, :1])
        row = ops.concatenate([seen, itself], axis=1)[:, None]  # of [CLS]
        wide = ops.pad(mask, ((0, 0), (0, 0), (0, 1)))  # words do not see it
        wide = ops.concatenate([wide, row], axis=1)
        count = ops.sum(ops.cast(seen, "int32"), axis=1, keepdims=True)
        after = self._angles(count)  # its position is after the last word
        pairs = zip(angles, after, strict=True)
        both = tuple(ops.concatenate(pair, axis=2) for pair in pairs)
        for block in self.blocks[: self.sizes.num_unimodal]:
            x, _, _ = block(x, wide, both, training=training)
        return x[:, :-1], mask, angles, self.cls_norm(x[:, -1])

    def compute_output_spec(self, text, memory=None, valid=None, training=None):
        logits = super().compute_output_spec(text)
        shape = (text.shape[0], self.width)
        return logits, keras.KerasTensor(shape, self.compute_dtype)


@keras.saving.register_keras_serializable(package=PACKAGE)
class EmbedText(layers.Layer):
    """The embedding of a text by a `ContrastiveDecoder`.

    Args:
        decoder: The decoder.

    Call arguments:
        text: `(batch, steps)` int32.

    Returns:
        `(batch, width)`, float.
    """

    def __init__(self, decoder: ContrastiveDecoder, **kwargs: Any):
        super().__init__(**kwargs)
        self.decoder = decoder

    def build(self, shape):
        if not self.decoder.built:  # after loading from a file
            self.decoder.build()

    def call(self, text):
        return self.decoder.embed_text(text)

    def compute_output_spec(self, text):
        shape = (text.shape[0], self.decoder.width)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        decoder = keras.saving.serialize_keras_object(self.decoder)
        return {**super().get_config(), "decoder": decoder}

    @classmethod
    def from_config(cls, config):
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddContrast(layers.Layer):
    """Adds the loss of the contrast between images and texts in training.

        s = e^scale;  loss = softmax_pairs(s i_j . t_k),  i and t of length 1

    Source: Yu et al. 2022, "CoCa", https://arxiv.org/abs/2205.01917, section 3.1; the
    scale begins as in CLIP, at 1 / 0.07, and is at most 100. Deviation: pairs of rows
    with the same text are left out.

    Args:
        weight: float >= 0, weight of the loss.

    Call arguments:
        logits: Any tensor, which is returned.
        image: `(batch, width)`, float.
        text: `(batch, width)`, float.
        ids: `(batch, steps)` int32, the words.

    Returns:
        `logits`.
    """

    def __init__(self, weight: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def build(self, *shapes):
        start = keras.initializers.Constant(2.6593)  # log(1 / 0.07)
        self.scale = self.add_weight((), start, dtype="float32", name="scale")

    def call(self, logits, image, text, ids, training=False):
        if training and self.weight:
            image, text = (
                to_unit_length(ops.cast(x, "float32")) for x in (image, text)
            )
            scale = ops.exp(ops.minimum(self.scale, 4.6052))
            pairs = scale * ops.matmul(image, ops.transpose(text))
            same = ops.all(ids[:, None] == ids[None], axis=-1)  # (batch, batch)
            self.add_loss(self.weight * softmax_pairs(pairs, None, same))
        return logits

    def compute_output_spec(self, logits, image, text, ids, training=False):
        return keras.KerasTensor(logits.shape, logits.dtype)

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ToUnitLength(layers.Layer):
    """Vectors of length 1: `(batch, width)` float32 of `(batch, width)`."""

    def call(self, x):
        return to_unit_length(ops.cast(x, "float32"))
