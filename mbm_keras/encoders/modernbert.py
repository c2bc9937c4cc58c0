"""Text encoder: ModernBERT, with rotary positions and attention to near tokens.

Source: Warner et al. 2024, "Smarter, Better, Faster, Longer: A Modern Bidirectional
Encoder", https://arxiv.org/abs/2412.13663, section 2. Deviation: no dropout of the
attention weights; padding is computed and masked instead of removed.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import HeadAttention
from mbm_keras.layers import NamedActivation
from mbm_keras.layers import PoolTokens
from mbm_keras.layers import rotary_angles
from mbm_keras.layers import rotate
from mbm_keras.preset import Preset

PRESETS = {
    "tiny": Preset(
        dict(vocabulary_size=20, width=8, num_heads=2, num_blocks=2, hidden_width=16)
    ),
    "modernbert_base": Preset(
        dict(
            vocabulary_size=50_368,
            width=768,
            num_heads=12,
            num_blocks=22,
            hidden_width=1_152,
        ),
        parameters=149_014_272,
        source="https://huggingface.co/answerdotai/ModernBERT-base",
    ),
}


def build(
    *,
    vocabulary_size: int,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    global_every: int = 3,
    window: int = 64,
    global_base: float = 160_000.0,
    local_base: float = 10_000.0,
    activation: str = "gelu",
    use_bias: tuple[bool, bool, bool] = (False, False, False),
    epsilon: float = 1e-5,
    pooling: str = "mean",
    normalize: bool = False,
    dropout: float = 0.0,
    name: str = "modernbert",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP, after its gate.
        global_every: int > 0: the first of so many blocks attends to all tokens, the
            others to near ones.
        window: int > 0, largest distance in tokens in the other blocks.
        global_base: float > 0, base of the rotary positions where all tokens attend.
        local_base: float > 0, base of the rotary positions in the other blocks.
        activation: str, activation of the MLPs, see `NamedActivation`.
        use_bias: Whether attention, the MLPs and the normalizations have a bias.
        epsilon: float > 0, added to the variance by the normalizations.
        pooling: str, a pooling of `PoolTokens`.
        normalize: bool. True for embeddings of length 1.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32.
        Input `mask`: `(batch, steps)` bool, False for padding.
        Output `sequence`: `(batch, steps, width)` float32; padding has no meaning.
        Output `embedding`: `(batch, width)` float32.
        Output `mask`: as the input.

    Raises:
        ValueError: If `width` is not a multiple of `2 * num_heads`, or a name of an
            activation or pooling is unknown.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    attention_bias, mlp_bias, norm_bias = use_bias

    def norm(x, name):
        return layers.LayerNormalization(epsilon=epsilon, center=norm_bias, name=name)(
            x
        )

    def attend(x, prefix, is_global):
        y = layers.Dense(3 * width, use_bias=attention_bias, name=f"{prefix}Wqkv")(x)
        query, key, value = ops.split(y, 3, axis=-1)
        rotate = Rotary(num_heads, global_base if is_global else local_base)
        attention = HeadAttention(num_heads, window=None if is_global else window)
        y = attention(rotate(query), rotate(key), value, mask=mask)
        return layers.Dense(width, use_bias=attention_bias, name=f"{prefix}Wo")(y)

    def mlp(x, prefix):
        y = layers.Dense(2 * hidden_width, use_bias=mlp_bias, name=f"{prefix}Wi")(x)
        y = NamedActivation(activation, gated=True)(y)  # (batch, steps, hidden_width)
        return layers.Dense(width, use_bias=mlp_bias, name=f"{prefix}Wo")(y)

    def add(x, y):
        return layers.Add()([x, layers.Dropout(dropout)(y) if dropout else y])

    # Embeddings: (batch, steps, width)
    x = layers.Embedding(vocabulary_size, width, name="embeddings.tok_embeddings")(
        token_ids
    )
    x = norm(x, "embeddings.norm")

    # Blocks
    for i in range(num_blocks):
        block = f"layers.{i}."
        y = norm(x, f"{block}attn_norm") if i else x
        x = add(x, attend(y, f"{block}attn.", i % global_every == 0))
        x = add(x, mlp(norm(x, f"{block}mlp_norm"), f"{block}mlp."))
    x = norm(x, "final_norm")

    # Embedding: (batch, width)
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

    Raises:
        ValueError: If the rotary positions are scaled, or the blocks that attend to all
            tokens are not every n-th.
    """
    rotary = config.get("rope_parameters") or {}
    far, near = (rotary.get(f"{x}_attention") or {} for x in ("full", "sliding"))
    kinds = {x.get("rope_type", "default") for x in (far, near)}
    num_blocks = config.get("num_hidden_layers", 22)
    every = config.get("global_attn_every_n_layers", 3)
    expected = [
        "sliding_attention" if i % every else "full_attention"
        for i in range(num_blocks)
    ]
    if kinds != {"default"} or config.get("layer_types", expected) != expected:
        raise ValueError(
            "Expected plain rotary positions, and attention to all tokens in every "
            f"{every}-th block. Received: rope_type={sorted(kinds)}, "
            f"layer_types={config.get('layer_types')}."
        )
    return dict(
        vocabulary_size=config.get("vocab_size", 50_368),
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=num_blocks,
        hidden_width=config.get("intermediate_size", 1_152),
        global_every=every,
        window=config.get("local_attention", 128) // 2,
        global_base=far.get("rope_theta", config.get("global_rope_theta", 160_000.0)),
        local_base=near.get("rope_theta", config.get("local_rope_theta", 10_000.0)),
        activation=config.get("hidden_activation", "gelu"),
        use_bias=tuple(
            config.get(f"{x}_bias", False) for x in ("attention", "mlp", "norm")
        ),
        epsilon=config.get("norm_eps", 1e-5),
    )


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.modernbert")
class Rotary(keras.layers.Layer):
    """Rotates pairs of channels of each head by an angle that grows with the position.

        angle of pair i at step t = t base^(-2 i / head_width)

    Source: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position
    Embedding", https://arxiv.org/abs/2104.09864, section 3.2. Deviation: channel `i`
    is paired with `i + head_width / 2`, as in the checkpoints.

    Args:
        num_heads: int > 0, number of heads.
        base: float > 0, see above.

    Call arguments:
        x: `(batch, steps, width)`, float, queries or keys.

    Returns:
        `(batch, steps, width)`, float.

    Raises:
        ValueError: If the width is not a multiple of `2 * num_heads`.
    """

    def __init__(self, num_heads: int, base: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.base = base

    def build(self, shape):
        if shape[-1] % (2 * self.num_heads):
            raise ValueError(
                "Expected a width that is a multiple of `2 * num_heads`. "
                f"Received: width={shape[-1]}, num_heads={self.num_heads}."
            )

    def call(self, x):
        batch, steps = ops.shape(x)[:2]
        width = x.shape[-1]
        head_width = width // self.num_heads
        # (steps, 1, head_width / 2): the same for all heads
        angles = rotary_angles(ops.arange(steps), head_width, self.base)
        angles = tuple(angle[:, None] for angle in angles)
        y = ops.reshape(x, (batch, steps, self.num_heads, head_width))
        return ops.reshape(rotate(y, angles), (batch, steps, width))

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        config = {"num_heads": self.num_heads, "base": self.base}
        return {**super().get_config(), **config}
