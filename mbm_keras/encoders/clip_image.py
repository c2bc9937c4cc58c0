"""Image encoder: the half of CLIP that sees images, a vision transformer.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision", https://arxiv.org/abs/2103.00020, section 2.4; Dosovitskiy et al. 2021,
"An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929. Deviation: no dropout
of the attention weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.encoders.clip_text import NAMES
from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PoolTokens
from mbm_keras.layers import PrependTokens
from mbm_keras.layers import embed_patches
from mbm_keras.layers import grid_of
from mbm_keras.layers import pair
from mbm_keras.preset import Preset

_BASE = dict(
    width=768, num_heads=12, num_blocks=12, hidden_width=3_072, projection_width=512
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
            projection_width=4,
        )
    ),
    "clip_vit_b_32": Preset(
        dict(_BASE, image_size=224, patch_size=32),
        parameters=87_849_216,
        source="https://huggingface.co/openai/clip-vit-base-patch32",
    ),
    "clip_vit_b_16": Preset(
        dict(_BASE, image_size=224, patch_size=16),
        parameters=86_192_640,
        source="https://huggingface.co/openai/clip-vit-base-patch16",
    ),
    "clip_vit_l_14": Preset(
        dict(
            image_size=224,
            patch_size=14,
            width=1_024,
            num_heads=16,
            num_blocks=24,
            hidden_width=4_096,
            projection_width=768,
        ),
        parameters=303_966_208,
        source="https://huggingface.co/openai/clip-vit-large-patch14",
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
    projection_width: int,
    activation: str = "quick_gelu",
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    name: str = "clip_image",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        image_size: Height and width of an image in pixels, or one int > 0 for both. The
            positions of a checkpoint with another size are interpolated.
        patch_size: int > 0, height and width of a patch in pixels.
        width: int > 0, width of a patch's vector, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        projection_width: int > 0, width of the embedding, that of the texts.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, 3)` float32, RGB, normalized as the
        checkpoint says.
        Output `sequence`: `(batch, 1 + patches, width)` float32, the class token, then
        the patches row by row from the top left.
        Output `embedding`: `(batch, projection_width)` float32, not normalized.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, the activation is
            unknown, or an image is smaller than a patch.
    """
    grid = grid_of(image_size, patch_size)
    pixels = keras.Input((*pair(image_size), 3), name="pixels")
    at = "vision_model.embeddings"
    patch = f"{at}.patch_embedding"
    # (batch, patches, width)
    x = embed_patches(pixels, width, patch_size, patch, use_bias=False)
    x = PrependTokens(name=f"{at}.class_embedding")(x)
    x = AddGridPositions(grid, num_tokens=1, name=f"{at}.position_embedding")(x)
    x = layers.LayerNormalization(epsilon=epsilon, name="vision_model.pre_layrnorm")(x)
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=epsilon,
        norm_first=True,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"vision_model.encoder.layers.{i}.")
    y = PoolTokens("cls")(x)  # (batch, width)
    y = layers.LayerNormalization(epsilon=epsilon, name="vision_model.post_layernorm")(
        y
    )
    y = layers.Dense(projection_width, use_bias=False, name="visual_projection")(y)
    return keras.Model([pixels], {"sequence": x, "embedding": y}, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    vision = config.get("vision_config") or config  # of both halves, or of this one
    return dict(
        image_size=vision.get("image_size", 224),
        patch_size=vision.get("patch_size", 32),
        width=vision.get("hidden_size", 768),
        num_heads=vision.get("num_attention_heads", 12),
        num_blocks=vision.get("num_hidden_layers", 12),
        hidden_width=vision.get("intermediate_size", 3_072),
        projection_width=config.get("projection_dim", 512),
        activation=vision.get("hidden_act", "quick_gelu"),
        epsilon=vision.get("layer_norm_eps", 1e-5),
    )
