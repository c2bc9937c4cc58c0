"""Sound encoder: the audio spectrogram transformer, from filter banks.

Source: Gong et al. 2021, "AST: Audio Spectrogram Transformer",
https://arxiv.org/abs/2104.01778, section 2. Deviation: no dropout of the attention
weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PrependTokens
from mbm_keras.preset import Preset

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
            frames=12,
            num_mel_bins=8,
            patch_size=4,
            strides=(2, 3),
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
        )
    ),
    "ast_base": Preset(
        dict(),
        parameters=86_187_264,
        source="https://huggingface.co/MIT/ast-finetuned-audioset-10-10-0.4593",
    ),
}


def build(
    *,
    frames: int = 1_024,
    num_mel_bins: int = 128,
    patch_size: int = 16,
    strides: tuple[int, int] = (10, 10),
    published_frames: int | None = None,
    width: int = 768,
    num_heads: int = 12,
    num_blocks: int = 12,
    hidden_width: int = 3_072,
    activation: str = "gelu",
    epsilon: float = 1e-12,
    dropout: float = 0.0,
    name: str = "ast",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        frames: int >= `patch_size`, frames of a spectrogram. The positions of a
            checkpoint with another number are interpolated.
        num_mel_bins: int >= `patch_size`, number of mel bands.
        patch_size: int > 0, frames and bands of a patch.
        strides: Bands and frames from one patch to the next.
        published_frames: int > 0, frames of the checkpoint to load; None for `frames`.
        width: int > 0, width of a patch's vector, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `spectrogram`: `(batch, frames, num_mel_bins)` float32, as
        `mbm_keras.preprocessing.FilterBanks` gives it.
        Output `sequence`: `(batch, 2 + patches, width)` float32: the tokens of class
        and of distillation, then the patches, band by band from the lowest.
        Output `embedding`: `(batch, width)` float32, the mean of the two tokens.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, the activation is
            unknown, or a spectrogram is smaller than a patch.
    """
    if min(frames, num_mel_bins) < patch_size:
        raise ValueError(
            "Expected a spectrogram of one patch or more. Received: "
            f"frames={frames}, num_mel_bins={num_mel_bins}, patch_size={patch_size}."
        )
    spectrogram = keras.Input((frames, num_mel_bins), name="spectrogram")
    x = layers.Permute((2, 1))(spectrogram)
    x = layers.Reshape((num_mel_bins, frames, 1))(x)
    at = "embeddings"
    patch = f"{at}.patch_embeddings.projection"
    x = layers.Conv2D(width, patch_size, strides, name=patch)(x)
    grid = x.shape[1:3]  # bands, frames
    old = 1 + ((published_frames or frames) - patch_size) // strides[1]
    x = layers.Reshape((-1, width))(x)  # (batch, patches, width)
    x = PrependTokens(name=f"{at}.distillation_token")(x)
    x = PrependTokens(name=f"{at}.cls_token")(x)
    x = AddGridPositions(
        grid,
        num_tokens=2,
        published_grid=(grid[0], old),
        name=f"{at}.position_embeddings",
    )(x)
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
        x = block(x, f"encoder.layer.{i}.")
    x = layers.LayerNormalization(epsilon=epsilon, name="layernorm")(x)
    embedding = ops.mean(x[:, :2], axis=1)  # (batch, width)
    return keras.Model(
        [spectrogram], {"sequence": x, "embedding": embedding}, name=name
    )


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    frames = config.get("max_length", 1_024)
    return dict(
        frames=frames,
        num_mel_bins=config.get("num_mel_bins", 128),
        patch_size=config.get("patch_size", 16),
        strides=(config.get("frequency_stride", 10), config.get("time_stride", 10)),
        published_frames=frames,
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=config.get("intermediate_size", 3_072),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
    )
