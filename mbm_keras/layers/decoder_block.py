"""One block of a transformer that writes, with a cache of what it has read."""

import dataclasses
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers.named_activation import NamedActivation
from mbm_keras.layers.rotary import rotate

_NEVER = -1e9  # score of a step that is not attended to


@dataclasses.dataclass(frozen=True)
class DecoderSizes:
    """Sizes of the blocks of a transformer that writes.

    Args:
        num_blocks: int >= 1.
        num_heads: int >= 1, heads of the queries; they divide the width.
        num_kv_heads: int >= 1, heads of keys and values, which divide `num_heads`; each
            serves several heads of queries. None for as many as `num_heads`.
        expansion: int >= 1, width of the hidden layer of an MLP, in widths.
        num_positions: int >= 1, learned positions, the most steps of a text. None for
            rotary positions, which have no limit.
        rotary_base: float > 0, base of the rotary positions.
        num_unimodal: int >= 0, blocks at the beginning that do not attend to a memory,
            where the others do.
        cross_every: int >= 1: of the others, the first of so many attends to it.
        use_bias: bool. False for dense layers and normalizations without a bias.
        tied: bool. False if the output has a matrix of its own, and not the embeddings
            of the words.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.

    Raises:
        ValueError: If a number is out of range.
    """

    num_blocks: int = 4
    num_heads: int = 4
    num_kv_heads: int | None = None
    expansion: int = 4
    num_positions: int | None = None
    rotary_base: float = 10_000.0
    num_unimodal: int = 0
    cross_every: int = 1
    use_bias: bool = True
    tied: bool = True
    activation: str = "gelu"
    epsilon: float = 1e-5

    def __post_init__(self):
        counts = (
            self.num_blocks, self.num_heads, self.kv_heads, self.expansion,
            self.cross_every,
            1 if self.num_positions is None else self.num_positions,
        )  # fmt: skip
        if min(counts) < 1 or self.num_unimodal < 0 or self.num_heads % self.kv_heads:
            raise ValueError(
                "Expected sizes >= 1, num_unimodal >= 0, and a num_kv_heads that "
                f"divides num_heads. Received: {self}."
            )

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    def crosses(self, block: int) -> bool:
        """Whether a block attends to the memory, if there is one."""
        after = block - self.num_unimodal
        return after >= 0 and after % self.cross_every == 0


@keras.saving.register_keras_serializable(package="mbm_keras.layers.decoder_block")
class DecoderBlock(layers.Layer):
    """Self-attention, attention to a memory, and an MLP, each with a residual.

        x = x + attention(norm(x), what x may attend to)
        x = x + attention(norm(x), memory)                 if it crosses
        x = x + W_2 activation(W_1 norm(x) + b_1) + b_2

    A block of width w has 12 w^2 + 13 w weights, and 4 w^2 + 6 w more if it crosses.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners",
    section 2.3, and its code: normalization comes first, and the matrices that end a
    residual begin smaller by the root of their number. Attention to a memory: Vaswani
    et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.3. Grouped heads: Ainslie
    et al. 2023, https://arxiv.org/abs/2305.13245, section 2.2. Deviation: no dropout of
    the attention weights.

    Args:
        sizes: A `DecoderSizes`.
        crosses: bool. True for attention to a memory.
        dropout: float in [0, 1), dropout rate of each residual.

    Call arguments:
        x: `(batch, steps, width)`, float.
        mask: `(batch or 1, steps, steps)` bool, which steps each one attends to.
        angles: Of rotary positions, see `rotary_angles`, with an axis for the heads;
            empty without.
        memory: What `read_memory` returned and the mask of the memory, `(batch,
            memory_steps)` bool; empty without a memory.

    Returns:
        `(batch, steps, width)`, and the keys and values of all steps, `(batch,
        num_kv_heads, steps, head_width)` each.

    Raises:
        ValueError: If the width is not a multiple of `num_heads`.
    """

    def __init__(
        self,
        sizes: DecoderSizes,
        crosses: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        # Angles stay in float32.
        super().__init__(autocast=False, **kwargs)
        self.sizes = sizes
        self.crosses = crosses
        self.dropout = dropout

    def build(self, shape, *other_shapes):
        width, sizes = shape[-1], self.sizes
        if width % sizes.num_heads:
            raise ValueError(
                "Expected a width that is a multiple of `num_heads`. "
                f"Received: width={width}, num_heads={sizes.num_heads}."
            )
        self.head_width = width // sizes.num_heads
        kv = sizes.kv_heads * self.head_width
        self.norm_x = self._norm(width)
        self.read = self._dense(width, width + 2 * kv)
        self.write = self._dense(width, width, ends=True)
        if self.crosses:
            self.norm_query = self._norm(width)
            self.query = self._dense(width, width)
            self.read_cross = self._dense(width, 2 * kv)
            self.write_cross = self._dense(width, width, ends=True)
        self.norm_y = self._norm(width)
        self.expand = self._dense(width, sizes.expansion * width)
        self.contract = self._dense(sizes.expansion * width, width, ends=True)
        self.activation = NamedActivation(sizes.activation, dtype=self.dtype_policy)
        self.drop = layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def _norm(self, width):
        norm = layers.LayerNormalization(
            epsilon=self.sizes.epsilon,
            center=self.sizes.use_bias,
            dtype=self.dtype_policy,
        )
        norm.build((None, None, width))
        return norm

    def _dense(self, width, units, ends=False):
        residuals = (3 if self.crosses else 2) * self.sizes.num_blocks
        stddev = 0.02 / residuals**0.5 if ends else 0.02
        dense = layers.Dense(
            units,
            use_bias=self.sizes.use_bias,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
            dtype=self.dtype_policy,
        )
        dense.build((None, None, width))
        return dense

    def call(self, x, mask, angles=(), memory=(), training=None):
        query, keys, values = self._project(x, angles)
        y = self._attend(query, keys, values, mask)
        x = x + self.drop(self.write(y), training=training)
        return self._finish(x, memory, training), keys, values

    def advance(
        self, x: Any, mask: Any, cache: Any, slot: Any, angles: Any, memory: Any
    ) -> tuple[Any, Any]:
        """Advances by one step, whose keys and values enter the cache.

        Args:
            x: `(batch, 1, width)`.
            mask: `(batch, 1, slots)` bool, which slots it attends to.
            cache: Keys and values, `(batch, num_kv_heads, slots, head_width)` each.
            slot: Scalar int32, where its own go.
            angles: As for the call.
            memory: As for the call.

        Returns:
            `(batch, 1, width)`, and the new cache.
        """
        query, *new = self._project(x, angles)
        # `ops.slice_update` would need XLA in TensorFlow, and so would a served model.
        is_new = (ops.arange(mask.shape[2] or ops.shape(mask)[2]) == slot)[:, None]
        keys, values = (
            ops.where(is_new, ops.cast(one, old.dtype), old)
            for old, one in zip(cache, new, strict=True)
        )
        x = x + self.write(self._attend(query, keys, values, mask))
        return self._finish(x, memory, False), (keys, values)

    def read_memory(self, memory: Any) -> Any:
        """Keys and values of a memory, `(batch, steps, width)`, for the call."""
        keys, values = ops.split(self.read_cross(memory), 2, axis=-1)
        return self._split(keys), self._split(values)

    def _project(self, x, angles):
        """Queries, keys and values, `(batch, heads, steps, head_width)` each."""
        width, kv = x.shape[-1], self.sizes.kv_heads * self.head_width
        y = self.read(self.norm_x(x))
        query, keys = y[..., :width], y[..., width : width + kv]
        query, keys, values = map(self._split, (query, keys, y[..., width + kv :]))
        if angles:
            query, keys = rotate(query, angles), rotate(keys, angles)
        return query, keys, values

    def _split(self, x):
        batch, steps = ops.shape(x)[:2]
        heads = x.shape[-1] // self.head_width
        x = ops.reshape(x, (batch, steps, heads, self.head_width))
        return ops.transpose(x, (0, 2, 1, 3))

    def _attend(self, query, keys, values, mask):
        """`(batch, steps, width)`, by the heads of each group together."""
        batch, steps = ops.shape(query)[0], ops.shape(query)[2]
        kv, size = self.sizes.kv_heads, self.head_width
        group = self.sizes.num_heads // kv
        query = query * (size**-0.5)
        # (batch, kv, group * steps, head_width): the steps of the first head come first
        query = ops.reshape(query, (batch, kv, group * steps, size))
        scores = ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2)))
        scores = ops.cast(scores, "float32")
        if group > 1 and mask.shape[1] != 1:
            mask = ops.tile(mask, (1, group, 1))
        scores = ops.where(mask[:, None], scores, _NEVER)
        weights = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
        y = ops.matmul(weights, values)  # (batch, kv, group * steps, head_width)
        y = ops.reshape(y, (batch, kv * group, steps, size))
        y = ops.transpose(y, (0, 2, 1, 3))
        return ops.reshape(y, (batch, steps, kv * group * size))

    def _finish(self, x, memory, training):
        if self.crosses and memory:
            (keys, values), mask = memory
            query = self._split(self.query(self.norm_query(x)))
            y = self._attend(query, keys, values, mask[:, None])
            x = x + self.drop(self.write_cross(y), training=training)
        y = self.contract(self.activation(self.expand(self.norm_y(x))))
        return x + self.drop(y, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "sizes": dataclasses.asdict(self.sizes),
            "crosses": self.crosses,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "sizes": DecoderSizes(**config["sizes"])})
