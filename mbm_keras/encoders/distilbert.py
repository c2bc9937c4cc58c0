"""Text encoder: DistilBERT, a BERT of half the blocks without segments.

Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT",
https://arxiv.org/abs/1910.01108, section 3. Deviation: no dropout of the attention
weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import AddPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PoolTokens
from mbm_keras.preset import Preset

EPSILON = 1e-12  # of the normalizations; it is not in the configuration
NAMES = BlockNames(
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    output="attention.out_lin",
    attention_norm="sa_layer_norm",
    expand="ffn.lin1",
    contract="ffn.lin2",
    mlp_norm="output_layer_norm",
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
    "distilbert_base": Preset(
        dict(
            vocabulary_size=30_522,
            width=768,
            num_heads=12,
            num_blocks=6,
            hidden_width=3_072,
        ),
        parameters=66_362_880,
        source="https://huggingface.co/distilbert/distilbert-base-uncased",
    ),
}


def build(
    *,
    vocabulary_size: int,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    num_positions: int = 512,
    activation: str = "gelu",
    pooling: str = "mean",
    normalize: bool = False,
    dropout: float = 0.0,
    name: str = "distilbert",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        num_positions: int > 0, the largest number of tokens.
        activation: str, activation of the MLPs, see `NamedActivation`.
        pooling: str, a pooling of `PoolTokens`.
        normalize: bool. True for embeddings of length 1.
        dropout: float in [0, 1), dropout rate of the embeddings and after each half of
            a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32.
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
    x = AddPositions(num_positions, name="embeddings.position_embeddings")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="embeddings.LayerNorm")(x)
    if dropout:
        x = layers.Dropout(dropout)(x)

    # Blocks
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=EPSILON,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"transformer.layer.{i}.", mask)

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
    """
    return dict(
        vocabulary_size=config.get("vocab_size", 30_522),
        width=config.get("dim", 768),
        num_heads=config.get("n_heads", 12),
        num_blocks=config.get("n_layers", 6),
        hidden_width=config.get("hidden_dim", 3_072),
        num_positions=config.get("max_position_embeddings", 512),
        activation=config.get("activation", "gelu"),
    )
