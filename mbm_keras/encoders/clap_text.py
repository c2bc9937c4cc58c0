"""Text encoder: the half of CLAP that reads texts, a RoBERTa with a projection.

Source: Wu et al. 2022, "Large-scale Contrastive Language-Audio Pretraining with Feature
Fusion and Keyword-to-Caption Augmentation", https://arxiv.org/abs/2211.06687, section
3.1. Deviation: no dropout of the attention weights.
"""

from collections.abc import Mapping
from typing import Any

import keras

from mbm_keras.encoders import bert
from mbm_keras.encoders.clap_audio import project
from mbm_keras.preset import Preset

PRESETS = {
    "tiny": Preset(
        dict(
            vocabulary_size=20,
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
            num_positions=16,
            projection_width=4,
        )
    ),
    "clap_roberta": Preset(
        dict(
            vocabulary_size=50_265,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
        ),
        parameters=125_302_016,
        source="https://huggingface.co/laion/clap-htsat-unfused",
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
    num_segments: int = 1,
    padding_id: int = 1,
    projection_width: int = 512,
    projection_activation: str = "relu",
    activation: str = "gelu",
    epsilon: float = 1e-12,
    dropout: float = 0.0,
    name: str = "clap_text",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        num_positions: int > 0, rows of the table of positions.
        num_segments: int > 0, rows of the table of segments; the first is used.
        padding_id: int >= 0, id of padding.
        projection_width: int > 0, width of the embedding, that of the sounds.
        projection_activation: str, activation of the projection.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate of the embeddings and after each half of
            a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32.
        Input `mask`: `(batch, steps)` bool, False for padding.
        Output `sequence`: `(batch, steps, width)` float32, padding included.
        Output `embedding`: `(batch, projection_width)` float32, not normalized.
        Output `mask`: as the input.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, or an activation is
            unknown.
    """
    encoder = bert.build(
        vocabulary_size=vocabulary_size,
        width=width,
        num_heads=num_heads,
        num_blocks=num_blocks,
        hidden_width=hidden_width,
        num_positions=num_positions,
        num_segments=num_segments,
        position_padding_id=padding_id,
        activation=activation,
        epsilon=epsilon,
        pooling=bert.POOLER,
        dropout=dropout,
    )
    outputs = dict(encoder.output)
    y = outputs["embedding"]
    y = project(y, projection_width, projection_activation, "text_projection")
    return keras.Model(encoder.inputs, {**outputs, "embedding": y}, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    text = config.get("text_config") or {}
    return dict(
        vocabulary_size=text.get("vocab_size", 50_265),
        width=text.get("hidden_size", 768),
        num_heads=text.get("num_attention_heads", 12),
        num_blocks=text.get("num_hidden_layers", 12),
        hidden_width=text.get("intermediate_size", 3_072),
        num_positions=text.get("max_position_embeddings", 514),
        num_segments=text.get("type_vocab_size", 1),
        padding_id=text.get("pad_token_id", 1),
        projection_width=config.get("projection_dim", 512),
        projection_activation=text.get("projection_hidden_act", "relu"),
        activation=text.get("hidden_act", "gelu"),
        epsilon=text.get("layer_norm_eps", 1e-12),
    )
