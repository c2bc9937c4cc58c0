"""Image encoder: DINOv2, a Vision Transformer that was trained without labels.

Source: Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without
Supervision", https://arxiv.org/abs/2304.07193, section 4; Darcet et al. 2024, "Vision
Transformers Need Registers", https://arxiv.org/abs/2309.16588. Deviation: no stochastic
depth.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PoolTokens
from mbm_keras.layers import PrependTokens
from mbm_keras.layers import embed_patches
from mbm_keras.layers import grid_of
from mbm_keras.layers import pair
from mbm_keras.preset import Preset

NAMES = BlockNames(
    query="attention.attention.query",
    key="attention.attention.key",
    value="attention.attention.value",
    output="attention.output.dense",
    attention_norm="norm1",
    expand="mlp.fc1",
    contract="mlp.fc2",
    mlp_norm="norm2",
    attention_scale="layer_scale1.lambda1",
    mlp_scale="layer_scale2.lambda1",
)
GATED_NAMES = dataclasses.replace(
    NAMES, expand="mlp.weights_in", contract="mlp.weights_out"
)
_SMALL = dict(
    image_size=518,
    patch_size=14,
    width=384,
    num_heads=6,
    num_blocks=12,
    hidden_width=1_536,
)
PRESETS = {
    "tiny": Preset(
        dict(
            image_size=8,
            patch_size=4,
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
        )
    ),
    "dinov2_small": Preset(
        _SMALL,
        # 22,056,576 with the token of masked patches, 384 of them, which is not used.
        parameters=22_056_192,
        source="https://huggingface.co/facebook/dinov2-small",
    ),
}


def build(
    *,
    image_size: int | tuple[int, int],
    patch_size: int,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    num_channels: int = 3,
    num_registers: int = 0,
    published_size: int | tuple[int, int] | None = None,
    gated: bool = False,
    qkv_bias: bool = True,
    activation: str = "gelu",
    epsilon: float = 1e-6,
    pooling: str = "cls",
    dropout: float = 0.0,
    name: str = "dinov2",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        image_size: int > 0, height and width of the image in pixels, or a pair of them.
        patch_size: int > 0, height and width of a patch.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        num_channels: int > 0, channels of the image.
        num_registers: int >= 0, tokens after the first without a position.
        published_size: As `image_size`, of the checkpoint to load, whose positions are
            interpolated; None for the same.
        gated: bool. True for gated MLPs with SiLU, as in the largest published size.
        qkv_bias: bool. False if queries, keys and values have no bias.
        activation: str, activation of the MLPs that are not gated, see
            `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        pooling: str, a pooling of `PoolTokens`.
        dropout: float in [0, 1), dropout rate of the embeddings and after each half of
            a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, num_channels)` float32, normalized as
        the checkpoint was trained.
        Output `sequence`: `(batch, 1 + num_registers + patches, width)` float32,
        patches row by row from the top left.
        Output `embedding`: `(batch, width)` float32.

    Raises:
        ValueError: If the image is smaller than a patch, `width` is not a multiple of
            `num_heads`, or a name of an activation or pooling is unknown.
    """
    grid = grid_of(image_size, patch_size)
    shape = (*pair(image_size), num_channels)
    pixels = keras.Input(shape, dtype="float32", name="pixels")

    # Patches and tokens: (batch, 1 + num_registers + patches, width)
    x = embed_patches(
        pixels, width, patch_size, "embeddings.patch_embeddings.projection"
    )
    x = PrependTokens(name="embeddings.cls_token")(x)
    x = AddGridPositions(
        grid,
        num_tokens=1,
        published_grid=grid_of(published_size or image_size, patch_size),
        antialias=num_registers > 0,  # in the authors' code, for this size
        name="embeddings.position_embeddings",
    )(x)
    if num_registers:
        name_of_registers = "embeddings.register_tokens"
        x = PrependTokens(num_registers, index=1, name=name_of_registers)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)

    # Blocks
    block = EncoderBlock(
        GATED_NAMES if gated else NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation="silu" if gated else activation,
        epsilon=epsilon,
        norm_first=True,
        qkv_bias=qkv_bias,
        gated=gated,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layer.{i}.")
    x = layers.LayerNormalization(epsilon=epsilon, name="layernorm")(x)

    # Embedding: (batch, width)
    y = PoolTokens(pooling)(x)
    return keras.Model([pixels], {"sequence": x, "embedding": y}, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    image_size = pair(config.get("image_size", 224))
    width = config.get("hidden_size", 768)
    hidden_width = int(width * config.get("mlp_ratio", 4))
    gated = config.get("use_swiglu_ffn", False)
    registers = config.get("model_type") == "dinov2_with_registers"
    if gated:  # two thirds, up to a multiple of 8
        hidden_width = (int(hidden_width * 2 / 3) + 7) // 8 * 8
    return dict(
        image_size=image_size,
        published_size=image_size,
        patch_size=config.get("patch_size", 14 if not registers else 16),
        width=width,
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=hidden_width,
        num_channels=config.get("num_channels", 3),
        num_registers=config.get("num_register_tokens", 4) if registers else 0,
        gated=gated,
        qkv_bias=config.get("qkv_bias", True),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-6),
    )
