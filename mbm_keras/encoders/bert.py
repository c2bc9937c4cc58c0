"""Text encoder: BERT, and what differs from it by weights and positions alone.

RoBERTa, XLM-RoBERTa, CamemBERT, MiniLM and the sentence encoders made from them.

Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers",
https://arxiv.org/abs/1810.04805, section 3; Liu et al. 2019, "RoBERTa",
https://arxiv.org/abs/1907.11692; Wang et al. 2020, "MiniLM",
https://arxiv.org/abs/2002.10957. Deviation: no dropout of the attention weights; a text
is one segment.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import AddFirstRow
from mbm_keras.layers import AddPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import PoolTokens
from mbm_keras.preset import Preset
from mbm_keras.preset import Weights

POOLER = "pooler"  # the pooling by a dense layer of the checkpoint
NAMES = BlockNames(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    expand="intermediate.dense",
    contract="output.dense",
    mlp_norm="output.LayerNorm",
)
_BASE = dict(width=768, num_heads=12, num_blocks=12, hidden_width=3_072)
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
    "bert_base": Preset(
        dict(_BASE, vocabulary_size=30_522, pooling=POOLER),
        parameters=109_482_240,
        source="https://huggingface.co/google-bert/bert-base-uncased",
    ),
    "roberta_base": Preset(
        dict(
            _BASE,
            vocabulary_size=50_265,
            num_positions=514,
            num_segments=1,
            position_padding_id=1,
            epsilon=1e-5,
            pooling=POOLER,
        ),
        parameters=124_645_632,
        source="https://huggingface.co/FacebookAI/roberta-base",
    ),
    "xlm_roberta_base": Preset(
        dict(
            _BASE,
            vocabulary_size=250_002,
            num_positions=514,
            num_segments=1,
            position_padding_id=1,
            epsilon=1e-5,
            pooling=POOLER,
        ),
        parameters=278_043_648,
        source="https://huggingface.co/FacebookAI/xlm-roberta-base",
    ),
    "minilm": Preset(
        dict(
            vocabulary_size=30_522,
            width=384,
            num_heads=12,
            num_blocks=6,
            hidden_width=1_536,
            normalize=True,
        ),
        # 22,713,216 are published; the pooler, 147,840 of them, is not used.
        parameters=22_565_376,
        source="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        weights=Weights(
            "sentence-transformers/all-MiniLM-L6-v2",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
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
    num_segments: int = 2,
    position_padding_id: int | None = None,
    activation: str = "gelu",
    epsilon: float = 1e-12,
    pooling: str = "mean",
    normalize: bool = False,
    dropout: float = 0.0,
    name: str = "bert",
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
        position_padding_id: int >= 0, id of padding for positions as in RoBERTa; None
            for positions as in BERT.
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
    x = AddFirstRow(num_segments, name="embeddings.token_type_embeddings")(x)
    x = AddPositions(
        num_positions, position_padding_id, name="embeddings.position_embeddings"
    )(x, token_ids)
    x = layers.LayerNormalization(epsilon=epsilon, name="embeddings.LayerNorm")(x)
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
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layer.{i}.", mask)

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

    Raises:
        ValueError: If the positions are relative, or the model is a decoder.
    """
    kind = config.get("model_type", "bert")
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute" or config.get("is_decoder"):
        raise ValueError(
            "Expected an encoder with absolute positions. Received: "
            f"position_embedding_type={positions!r}, "
            f"is_decoder={config.get('is_decoder', False)}."
        )
    counts_tokens = kind != "bert"
    return dict(
        vocabulary_size=config.get("vocab_size", 30_522),
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=config.get("intermediate_size", 3_072),
        num_positions=config.get("max_position_embeddings", 512),
        num_segments=config.get("type_vocab_size", 2),
        position_padding_id=config.get("pad_token_id", 1) if counts_tokens else None,
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        name=kind.replace("-", "_"),
    )
