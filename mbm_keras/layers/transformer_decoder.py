"""A transformer that writes: logits of every next word, at once or word after word.

What it is conditioned by, its memory, comes in one of two ways:

    prefix   before the words, in the same sequence: the memory's steps see each other,
             a word sees the memory and the words before it
    cross    blocks attend to it
"""

import dataclasses
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers.decoder_block import DecoderBlock
from mbm_keras.layers.decoder_block import DecoderSizes
from mbm_keras.layers.rotary import rotary_angles

PACKAGE = "mbm_keras.layers.transformer_decoder"
_PADDING = -1e9  # logit of the id 0, which is never written


@keras.saving.register_keras_serializable(package=PACKAGE)
class TransformerDecoder(layers.Layer):
    """Predicts the word after each word, from the words so far and a memory.

    Ids are above 0, and the id `i` has row `i - 1` in the table of embeddings; 0 is
    padding, which may be anywhere: it is not attended to, and takes no position.

    Called on a text, it is the whole sequence at once, for training. `begin` and `step`
    give the same logits word after word, from a cache of fixed size, see
    `mbm_keras.generation.Decoder`.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners",
    section 2.3, and its code. Prefix: Wang et al. 2022, "GIT",
    https://arxiv.org/abs/2205.14100, section 3.1. Deviation: see `DecoderBlock`; with
    `num_positions` None rotary positions instead of learned ones.

    Args:
        vocabulary_size: int >= 2, number of ids, padding included.
        width: int >= 1, width of a word.
        sizes: A `DecoderSizes`; None for the default.
        memory: str or None: `"prefix"` or `"cross"`, see above; None without a memory.
        start: int >= 1, the id that a text without a prompt begins after, such as that
            of its end.
        dropout: float in [0, 1), dropout rate of words and residuals.

    Call arguments:
        text: `(batch, steps)` int32.
        memory: `(batch, memory_steps, width)`, float; None without.
        valid: `(batch, memory_steps)` bool, False for padding of the memory.

    Returns:
        `(batch, steps, vocabulary_size)` float32 logits of the next word.

    Raises:
        ValueError: If a size is out of range, or a text has more steps than positions.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        sizes: DecoderSizes | None = None,
        memory: str | None = None,
        start: int = 2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if memory not in (None, "prefix", "cross"):
            raise ValueError(
                "Expected memory='prefix', memory='cross' or None. "
                f"Received: memory={memory!r}."
            )
        if not 0 < start < vocabulary_size:
            raise ValueError(
                "Expected 0 < start < vocabulary_size. Received: "
                f"start={start}, vocabulary_size={vocabulary_size}."
            )
        self.vocabulary_size = vocabulary_size
        self.width = width
        self.sizes = DecoderSizes() if sizes is None else sizes
        self.memory = memory
        self.start = start
        self.dropout = dropout
        self.supports_masking = True  # `valid` is the mask

    def build(self, text_shape=None, memory_shape=None, valid_shape=None):
        sizes, policy = self.sizes, dict(dtype=self.dtype_policy)
        normal = keras.initializers.RandomNormal(stddev=0.02)
        rows = self.vocabulary_size - 1
        self.table = self.add_weight((rows, self.width), normal, name="table")
        if sizes.num_positions is not None:
            shape = (sizes.num_positions, self.width)
            self.positions = self.add_weight(shape, normal, name="positions")
        self.blocks = []
        for i in range(sizes.num_blocks):
            crosses = self.memory == "cross" and sizes.crosses(i)
            block = DecoderBlock(sizes, crosses, self.dropout, **policy)
            block.build((None, None, self.width))
            self.blocks.append(block)
        self.norm = layers.LayerNormalization(
            epsilon=sizes.epsilon, center=sizes.use_bias, **policy
        )
        self.norm.build((None, None, self.width))
        self.drop = layers.Dropout(self.dropout, **policy)
        if not sizes.tied:
            self.output_table = self.add_weight(
                (rows, self.width), normal, name="output_table"
            )

    def call(self, text, memory=None, valid=None, training=None):
        self.check_steps(text.shape[1])
        x, mask, angles = self._arrange(text, memory, valid, training)
        crossed = self._read_memory(memory, valid)
        for block, read in zip(self.blocks, crossed, strict=True):
            x, _, _ = block(x, mask, angles, read, training=training)
        if self.memory == "prefix":
            x = x[:, ops.shape(memory)[1] :]
        return self._logits(x)

    def begin(
        self, text: Any, memory: Any = None, valid: Any = None, *, cache_size: int
    ) -> tuple[Any, Any]:
        """Reads a memory and a prompt, see `mbm_keras.generation.Decoder`.

        Args:
            text: `(batch, steps)` int32, a prompt of 0 steps or more; rows of unequal
                length are padded with 0, on either side. A row without a word begins
                after `start`.
            memory: As for the call.
            valid: As for the call.
            cache_size: int, the most steps of the prompt and what is written together.

        Returns:
            state: The cache, which of its slots are valid, and what is read next.
            context: What blocks know of the memory.

        Raises:
            ValueError: If the prompt or the positions do not have as many steps.
        """
        steps = text.shape[1]
        if steps is not None and steps >= cache_size:
            raise ValueError(
                "Expected a prompt shorter than the cache, which holds it and what is "
                f"written. Received: steps={steps}, cache_size={cache_size}."
            )
        self.check_steps(cache_size - 1)
        words = ops.cast(text > 0, "int32")
        count = ops.sum(words, axis=1)  # (batch,)
        is_last = ops.logical_and(text > 0, ops.cumsum(words, 1) == count[:, None])
        last = ops.sum(ops.where(is_last, text, 0), axis=1)
        # The last word of each prompt is read by the first step.
        text = ops.where(is_last, 0, text)
        x, mask, angles = self._arrange(text, memory, valid, False)
        batch, used = ops.shape(x)[0], ops.shape(x)[1]
        prefix = 0 if self.memory != "prefix" else ops.shape(memory)[1]
        slots = prefix + cache_size
        crossed = self._read_memory(memory, valid)
        cache = []
        for block, read in zip(self.blocks, crossed, strict=True):
            x, *new = block(x, mask, angles, read, training=False)
            padding = ((0, 0), (0, 0), (0, slots - used), (0, 0))
            cache.append(tuple(ops.pad(one, padding) for one in new))
        seen = self._find_seen(text, valid)
        position = self._first_position(memory) + ops.maximum(count - 1, 0)
        state = {
            "cache": cache,
            "valid": ops.pad(seen, ((0, 0), (0, slots - used))),
            "used": ops.zeros((batch,), "int32") + used,
            "position": position,
            "angles": self._angles(position[:, None]),
            "next": ops.where(count > 0, last, self.start),
        }
        return state, crossed

    def step(self, token: Any, state: Any, context: Any) -> tuple[Any, Any]:
        """Advances by one word, see `mbm_keras.generation.Decoder`."""
        token = ops.where(token > 0, token, state["next"])
        slot = ops.max(state["used"])  # all rows have used as many
        is_new = ops.arange(state["valid"].shape[1] or ops.shape(state["valid"])[1])
        valid = ops.logical_or(state["valid"], (is_new == slot)[None])
        position = state["position"][:, None]  # (batch, 1)
        x = self._embed(token[:, None], position, False)  # (batch, 1, width)
        cache = []
        for block, old, read in zip(self.blocks, state["cache"], context, strict=True):
            x, new = block.advance(x, valid[:, None], old, slot, state["angles"], read)
            cache.append(new)
        state = {
            "cache": cache,
            "valid": valid,
            "used": state["used"] + 1,
            "position": state["position"] + 1,
            # Computed a step ahead: XLA would fuse sines with the update of the cache,
            # and compute them anew for each of its slots.
            "angles": self._angles(position + 1),
            "next": state["next"],
        }
        return self._logits(x)[:, 0], state

    def check_steps(self, steps: int | None) -> None:
        """Checks that there are positions for so many steps; None is not checked.

        Raises:
            ValueError: If there are not.
        """
        positions = self.sizes.num_positions
        if positions is not None and steps is not None and steps > positions:
            raise ValueError(
                "Expected no more steps than learned positions. Received: "
                f"steps={steps}, num_positions={positions}."
            )

    def _arrange(self, text, memory, valid, training):
        """The sequence that blocks see, its mask of pairs, and its angles."""
        words = ops.cast(text > 0, "int32")
        order = ops.maximum(ops.cumsum(words, axis=1) - 1, 0)
        first = self._first_position(memory)
        x = self._embed(text, first + order, training)  # (batch, steps, width)
        seen = self._find_seen(text, valid)  # (batch, all steps)
        prefix, positions = 0, first + order
        if self.memory == "prefix":
            prefix = ops.shape(memory)[1]
            x = ops.concatenate([ops.cast(memory, x.dtype), x], axis=1)
            before = ops.zeros((ops.shape(text)[0], 1), "int32") + ops.arange(prefix)
            positions = ops.concatenate([before, positions], axis=1)
        index = ops.arange(ops.shape(x)[1])
        causal = ops.logical_or(index[None] <= index[:, None], (index < prefix)[None])
        mask = ops.logical_and(causal[None], seen[:, None])
        return x, mask, self._angles(positions)

    def _find_seen(self, text, valid):
        """Which steps of the sequence are attended to, `(batch, all steps)` bool."""
        if self.memory != "prefix":
            return text > 0
        return ops.concatenate([ops.cast(valid, "bool"), text > 0], axis=1)

    def _first_position(self, memory):
        """Learned positions are those of words; angles count the memory's steps too."""
        is_rotary = self.sizes.num_positions is None
        return ops.shape(memory)[1] if self.memory == "prefix" and is_rotary else 0

    def _angles(self, positions):
        if self.sizes.num_positions is not None:
            return ()
        head_width = self.width // self.sizes.num_heads
        angles = rotary_angles(positions, head_width, self.sizes.rotary_base)
        return tuple(angle[:, None] for angle in angles)  # an axis for the heads

    def _embed(self, text, positions, training):
        table = ops.cast(self.table, self.compute_dtype)
        x = ops.take(table, ops.maximum(text - 1, 0), axis=0)
        x = ops.where((text > 0)[..., None], x, ops.zeros_like(x))
        if self.sizes.num_positions is not None:
            table = ops.cast(self.positions, self.compute_dtype)
            x = x + ops.take(table, positions, axis=0)
        return self.drop(x, training=training)

    def _read_memory(self, memory, valid):
        """For each block, its keys and values of the memory and their mask, or ()."""
        return [
            (block.read_memory(memory), ops.cast(valid, "bool"))
            if block.crosses
            else ()
            for block in self.blocks
        ]

    def _logits(self, x):
        table = self.table if self.sizes.tied else self.output_table
        x = ops.cast(self.norm(x), self.compute_dtype)
        logits = ops.matmul(x, ops.transpose(ops.cast(table, self.compute_dtype)))
        logits = ops.cast(logits, "float32")
        padding = ((0, 0), (0, 0), (1, 0))
        return ops.pad(logits, padding, constant_values=_PADDING)

    def compute_mask(self, text, mask=None):
        return None

    def compute_output_spec(self, text, memory=None, valid=None, training=None):
        shape = (*text.shape, self.vocabulary_size)
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "width": self.width,
            "sizes": dataclasses.asdict(self.sizes),
            "memory": self.memory,
            "start": self.start,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "sizes": DecoderSizes(**config["sizes"])})


@keras.saving.register_keras_serializable(package=PACKAGE)
class CachedDecoder(layers.Layer):
    """A `TransformerDecoder` with the size of its cache, for a `SequenceGenerator`.

    Args:
        decoder: The decoder.
        cache_size: int >= 1, the most steps of a prompt and of what is written after it
            together.

    Raises:
        ValueError: If `cache_size` is below 1, or the decoder has fewer positions.
    """

    def __init__(self, decoder: TransformerDecoder, cache_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        if cache_size < 1:
            raise ValueError(
                f"Expected cache_size >= 1. Received: cache_size={cache_size}."
            )
        decoder.check_steps(cache_size - 1)  # the last word is written, and not read
        self.decoder = decoder
        self.cache_size = cache_size

    def build(self, *shapes):
        if not self.decoder.built:  # after loading from a file
            self.decoder.build(*shapes)

    def begin(self, *inputs: Any) -> tuple[Any, Any]:
        """As `TransformerDecoder.begin`."""
        return self.decoder.begin(*inputs, cache_size=self.cache_size)

    def step(self, token: Any, state: Any, context: Any) -> tuple[Any, Any]:
        """As `TransformerDecoder.step`."""
        return self.decoder.step(token, state, context)

    def get_config(self):
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "cache_size": self.cache_size,
        }

    @classmethod
    def from_config(cls, config):
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})


@keras.saving.register_keras_serializable(package=PACKAGE)
class AfterStart(layers.Layer):
    """What a decoder reads to predict a text: the start, and all words but the last.

    Args:
        start: int >= 1, id of the start.

    Call arguments:
        text: `(batch, steps)` int32, words and their end, 0 = padding.

    Returns:
        `(batch, steps)` int32: the start and the words, 0 = padding. The end is never
        read, however far a text is padded.
    """

    def __init__(self, start: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = start

    def call(self, text):
        before = ops.pad(text[:, :-1], ((0, 0), (1, 0)))
        is_first = ops.arange(ops.shape(before)[1]) == 0
        before = ops.where(is_first, self.start, before)
        return ops.where(text > 0, before, 0)

    def compute_output_spec(self, text):
        return keras.KerasTensor(text.shape, "int32")

    def get_config(self):
        return {**super().get_config(), "start": self.start}
