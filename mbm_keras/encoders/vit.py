"""Image encoder: Vision Transformer, and DeiT with its token of distillation.

Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words",
https://arxiv.org/abs/2010.11929, section 3.1; Touvron et al. 2021, "Training
data-efficient image transformers & distillation through attention",
https://arxiv.org/abs/2012.12877, section 4. Deviation: no dropout of the attention
weights.
"""

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

POOLER = "pooler"  # the pooling by a dense layer of the checkpoint
NAMES = BlockNames(
    query="attention.attention.query",
    key="attention.attention.key",
    value="attention.attention.value",
    output="attention.output.dense",
    attention_norm="layernorm_before",
    expand="intermediate.dense",
    contract="output.dense",
    mlp_norm="layernorm_after",
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
    "vit_base": Preset(
        dict(
            image_size=224,
            patch_size=16,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
        ),
        # 86,389,248 with the pooler.
        parameters=85_798_656,
        source="https://huggingface.co/google/vit-base-patch16-224",
    ),
    "deit_tiny": Preset(
        dict(
            image_size=224,
            patch_size=16,
            width=192,
            num_heads=3,
            num_blocks=12,
            hidden_width=768,
            distilled=True,
        ),
        parameters=5_524_800,
        source="https://huggingface.co/facebook/deit-tiny-distilled-patch16-224",
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
    published_size: int | tuple[int, int] | None = None,
    distilled: bool = False,
    qkv_bias: bool = True,
    activation: str = "gelu",
    epsilon: float = 1e-12,
    pooling: str = "cls",
    dropout: float = 0.0,
    name: str = "vit",
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
        published_size: As `image_size`, of the checkpoint to load, whose positions are
            interpolated; None for the same.
        distilled: bool. True for the second token of DeiT.
        qkv_bias: bool. False if queries, keys and values have no bias.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        pooling: str, `"pooler"` for the dense layer of the checkpoint on the first
            token, or a pooling of `PoolTokens`.
        dropout: float in [0, 1), dropout rate of the embeddings and after each half of
            a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, num_channels)` float32, normalized as
        the checkpoint was trained.
        Output `sequence`: `(batch, tokens + patches, width)` float32, patches row by
        row from the top left.
        Output `embedding`: `(batch, width)` float32.

    Raises:
        ValueError: If the image is smaller than a patch, `width` is not a multiple of
            `num_heads`, or a name of an activation or pooling is unknown.
    """
    grid = grid_of(image_size, patch_size)
    shape = (*pair(image_size), num_channels)
    pixels = keras.Input(shape, dtype="float32", name="pixels")

    # Patches and tokens: (batch, tokens + patches, width)
    x = embed_patches(
        pixels, width, patch_size, "embeddings.patch_embeddings.projection"
    )
    if distilled:
        x = PrependTokens(name="embeddings.distillation_token")(x)
    x = PrependTokens(name="embeddings.cls_token")(x)
    x = AddGridPositions(
        grid,
        num_tokens=2 if distilled else 1,
        published_grid=grid_of(published_size or image_size, patch_size),
        name="embeddings.position_embeddings",
    )(x)
    if dropout:
        x = layers.Dropout(dropout)(x)

    # Blocks
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=epsilon,
        norm_first=True,
        qkv_bias=qkv_bias,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layer.{i}.")
    x = layers.LayerNormalization(epsilon=epsilon, name="layernorm")(x)

    # Embedding: (batch, width)
    if pooling == POOLER:
        y = PoolTokens("cls")(x)
        y = layers.Dense(width, activation="tanh", name="pooler.dense")(y)
    else:
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
    kind = config.get("model_type", "vit")
    image_size = pair(config.get("image_size", 224))
    return dict(
        image_size=image_size,
        published_size=image_size,
        patch_size=config.get("patch_size", 16),
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=config.get("intermediate_size", 3_072),
        num_channels=config.get("num_channels", 3),
        distilled=kind == "deit",
        qkv_bias=config.get("qkv_bias", True),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        name=kind,
    )
