"""Text encoder: MPNet, a BERT whose attention knows the distance of two tokens.

Source: Song et al. 2020, "MPNet: Masked and Permuted Pre-training for Language
Understanding", https://arxiv.org/abs/2004.09297, section 2; the buckets of distances
from Raffel et al. 2020, "Exploring the Limits of Transfer Learning",
https://arxiv.org/abs/1910.10683, section 2.1. Deviation: no dropout of the attention
weights.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import AddPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PoolTokens
from mbm_keras.preset import Preset

POOLER = "pooler"  # the pooling by a dense layer of the checkpoint
PADDING_ID = 1  # fixed in the authors' code
MAX_DISTANCE = 128  # tokens; those further away share a bucket
NAMES = BlockNames(
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    output="attention.attn.o",
    attention_norm="attention.LayerNorm",
    expand="intermediate.dense",
    contract="output.dense",
    mlp_norm="output.LayerNorm",
)
PRESETS = {
    "tiny": Preset(
        dict(
            vocabulary_size=20,
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
            num_positions=16,
        )
    ),
    "mpnet_base": Preset(
        dict(
            vocabulary_size=30_527,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
            pooling=POOLER,
        ),
        parameters=109_486_464,
        source="https://huggingface.co/sentence-transformers/all-mpnet-base-v2",
    ),
}


def build(
    *,
    vocabulary_size: int,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    num_positions: int = 514,
    num_buckets: int = 32,
    activation: str = "gelu",
    epsilon: float = 1e-5,
    pooling: str = "mean",
    normalize: bool = False,
    dropout: float = 0.0,
    name: str = "mpnet",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        num_positions: int > 2, rows of the table of positions; tokens use all but two.
        num_buckets: int > 0, number of buckets of distances.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        pooling: str, `"pooler"` for the dense layer of the checkpoint on the first
            token, or a pooling of `PoolTokens`.
        normalize: bool. True for embeddings of length 1.
        dropout: float in [0, 1), dropout rate of the embeddings and after each half of
            a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32, 1 = padding.
        Input `mask`: `(batch, steps)` bool, False for padding.
        Output `sequence`: `(batch, steps, width)` float32, padding included.
        Output `embedding`: `(batch, width)` float32.
        Output `mask`: as the input.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, or a name of an
            activation or pooling is unknown.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="bool", name="mask")

    # Embeddings: (batch, steps, width)
    x = layers.Embedding(vocabulary_size, width, name="embeddings.word_embeddings")(
        token_ids
    )
    x = AddPositions(num_positions, PADDING_ID, name="embeddings.position_embeddings")(
        x, token_ids
    )
    x = layers.LayerNormalization(epsilon=epsilon, name="embeddings.LayerNorm")(x)
    if dropout:
        x = layers.Dropout(dropout)(x)

    # Blocks
    bias = DistanceBias(num_heads, num_buckets, name="encoder.relative_attention_bias")(
        x
    )
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=epsilon,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layer.{i}.", mask, bias)

    # Embedding: (batch, width)
    if pooling == POOLER:
        y = PoolTokens("cls")(x)
        y = layers.Dense(width, activation="tanh", name="pooler.dense")(y)
        if normalize:
            y = layers.UnitNormalization()(y)
    else:
        y = PoolTokens(pooling, normalize)(x, mask)
    outputs = {"sequence": x, "embedding": y, "mask": mask}
    return keras.Model([token_ids, mask], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    return dict(
        vocabulary_size=config.get("vocab_size", 30_527),
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=config.get("intermediate_size", 3_072),
        num_positions=config.get("max_position_embeddings", 512),
        num_buckets=config.get("relative_attention_num_buckets", 32),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
    )


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.mpnet")
class DistanceBias(keras.layers.Layer):
    """What attention adds to its scores for the distance of two tokens.

    Half of the buckets are for tokens after, half for tokens before. The nearest have a
    bucket for each distance; further away a bucket covers distances by their logarithm.

    Source: as the encoder. Deviation: none.

    Args:
        num_heads: int > 0, number of attention heads.
        num_buckets: int > 0, number of buckets.

    Call arguments:
        x: `(batch, steps, width)`; only the number of steps is used.

    Returns:
        `(1, num_heads, steps, steps)`, float.
    """

    def __init__(self, num_heads: int, num_buckets: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.num_buckets = num_buckets

    def build(self, shape):
        self.table = self.add_weight(
            (self.num_buckets, self.num_heads), "normal", name="table"
        )

    def call(self, x):
        steps = ops.arange(ops.shape(x)[1])
        ahead = steps - steps[:, None]  # (steps, steps)
        half = self.num_buckets // 2
        exact = half // 2
        distance = ops.abs(ahead)
        ratio = ops.cast(ops.maximum(distance, 1), "float32") / exact
        share = ops.log(ratio) / math.log(MAX_DISTANCE / exact)
        far = exact + ops.cast(share * (half - exact), "int32")
        bucket = ops.where(distance < exact, distance, ops.minimum(far, half - 1))
        bucket = ops.where(ahead > 0, half, 0) + bucket
        table = ops.cast(self.table, self.compute_dtype)
        bias = ops.take(table, bucket, axis=0)  # (steps, steps, num_heads)
        return ops.transpose(bias, (2, 0, 1))[None]

    def compute_output_spec(self, x):
        shape = (1, self.num_heads, x.shape[1], x.shape[1])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
        }
