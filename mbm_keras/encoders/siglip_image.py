"""Image encoder: the half of SigLIP that sees images, a vision transformer.

Source: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training",
https://arxiv.org/abs/2303.15343, section 4; the pooling is that of Zhai et al. 2022,
"Scaling Vision Transformers", https://arxiv.org/abs/2106.04560, section 3.2. Deviation:
no dropout of the attention weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.encoders.clip_text import NAMES
from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import AttentionPool
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import NamedActivation
from mbm_keras.layers import embed_patches
from mbm_keras.layers import grid_of
from mbm_keras.layers import pair
from mbm_keras.preset import Preset

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
    "siglip_base_16": Preset(
        dict(
            image_size=224,
            patch_size=16,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
        ),
        parameters=92_884_224,
        source="https://huggingface.co/google/siglip-base-patch16-224",
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
    activation: str = "gelu_pytorch_tanh",
    epsilon: float = 1e-6,
    dropout: float = 0.0,
    name: str = "siglip_image",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        image_size: Height and width of an image in pixels, or one int > 0 for both. The
            positions of a checkpoint with another size are interpolated.
        patch_size: int > 0, height and width of a patch in pixels.
        width: int > 0, width of a patch's vector and of the embedding, a multiple of
            `num_heads`.
        num_heads: int > 0, attention heads of each block and of the pooling.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, 3)` float32, RGB, normalized as the
        checkpoint says.
        Output `sequence`: `(batch, patches, width)` float32, row by row from the top
        left.
        Output `embedding`: `(batch, width)` float32, not normalized.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, the activation is
            unknown, or an image is smaller than a patch.
    """
    grid = grid_of(image_size, patch_size)
    pixels = keras.Input((*pair(image_size), 3), name="pixels")
    at = "vision_model.embeddings"
    patch = f"{at}.patch_embedding"
    x = embed_patches(pixels, width, patch_size, patch)  # (batch, patches, width)
    x = AddGridPositions(grid, name=f"{at}.position_embedding")(x)
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
    x = layers.LayerNormalization(epsilon=epsilon, name="vision_model.post_layernorm")(
        x
    )

    # Pooling: (batch, width)
    head = "vision_model.head"
    y = AttentionPool(num_heads, name=head)(x)
    z = layers.LayerNormalization(epsilon=epsilon, name=f"{head}.layernorm")(y)
    z = layers.Dense(hidden_width, name=f"{head}.mlp.fc1")(z)
    z = layers.Dense(width, name=f"{head}.mlp.fc2")(NamedActivation(activation)(z))
    y = layers.Add()([y, z])
    return keras.Model([pixels], {"sequence": x, "embedding": y}, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.

    Raises:
        ValueError: If the checkpoint has no pooling.
    """
    vision = config.get("vision_config") or {}
    if not vision.get("vision_use_head", True):
        raise ValueError(
            "Expected a checkpoint with a pooling. Received: vision_use_head=False."
        )
    return dict(
        image_size=vision.get("image_size", 224),
        patch_size=vision.get("patch_size", 16),
        width=vision.get("hidden_size", 768),
        num_heads=vision.get("num_attention_heads", 12),
        num_blocks=vision.get("num_hidden_layers", 12),
        hidden_width=vision.get("intermediate_size", 3_072),
        activation=vision.get("hidden_act", "gelu_pytorch_tanh"),
        epsilon=vision.get("layer_norm_eps", 1e-6),
    )
