"""Text encoder: the half of SigLIP that reads texts.

Source: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training",
https://arxiv.org/abs/2303.15343, section 4. Deviation: no dropout of the attention
weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.encoders.clip_text import NAMES
from mbm_keras.layers import AddPositions
from mbm_keras.layers import EncoderBlock
from mbm_keras.preset import Preset

PRESETS = {
    "tiny": Preset(
        dict(
            vocabulary_size=20,
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
            projection_width=8,
            num_positions=6,
        )
    ),
    "siglip_base": Preset(
        dict(
            vocabulary_size=32_000,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
            projection_width=768,
        ),
        parameters=110_271_744,
        source="https://huggingface.co/google/siglip-base-patch16-224",
    ),
}


def build(
    *,
    vocabulary_size: int,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    projection_width: int,
    num_positions: int = 64,
    padding_id: int = 1,
    activation: str = "gelu_pytorch_tanh",
    epsilon: float = 1e-6,
    dropout: float = 0.0,
    name: str = "siglip_text",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    SigLIP was trained on texts of one length, padding included, and pools their last
    token: a text is padded or cut to `num_positions` here.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        projection_width: int > 0, width of the embedding, that of the images.
        num_positions: int > 0, tokens of every text.
        padding_id: int >= 0, id of padding, which the encoder sees.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32.
        Input `mask`: `(batch, steps)` bool, False for padding.
        Output `sequence`: `(batch, num_positions, width)` float32, padding included.
        Output `embedding`: `(batch, projection_width)` float32, not normalized.
        Output `mask`: `(batch, num_positions)` bool.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, or the activation is
            unknown.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    # (batch, num_positions) each
    ids, valid = FixedLength(num_positions, padding_id)(token_ids, mask)
    at = "text_model.embeddings"
    x = layers.Embedding(vocabulary_size, width, name=f"{at}.token_embedding")(ids)
    x = AddPositions(num_positions, name=f"{at}.position_embedding")(x)
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
        x = block(x, f"text_model.encoder.layers.{i}.")
    x = layers.LayerNormalization(epsilon=epsilon, name="text_model.final_layer_norm")(
        x
    )
    y = layers.Dense(projection_width, name="text_model.head")(x[:, -1])
    outputs = {"sequence": x, "embedding": y, "mask": valid}
    return keras.Model([token_ids, mask], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    text = config.get("text_config") or {}
    width = text.get("hidden_size", 768)
    return dict(
        vocabulary_size=text.get("vocab_size", 32_000),
        width=width,
        num_heads=text.get("num_attention_heads", 12),
        num_blocks=text.get("num_hidden_layers", 12),
        hidden_width=text.get("intermediate_size", 3_072),
        projection_width=text.get("projection_size", width),
        num_positions=text.get("max_position_embeddings", 64),
        padding_id=text.get("pad_token_id", 1),
        activation=text.get("hidden_act", "gelu_pytorch_tanh"),
        epsilon=text.get("layer_norm_eps", 1e-6),
    )


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.siglip_text")
class FixedLength(layers.Layer):
    """Pads texts to one length with an id of padding, and cuts longer ones.

    Source: Zhai et al. 2023, https://arxiv.org/abs/2303.15343, section 4. Deviation:
    none.

    Args:
        length: int > 0, tokens of every text.
        padding_id: int >= 0, id of padding.

    Call arguments:
        token_ids: `(batch, steps)` int32.
        mask: `(batch, steps)` bool, False for padding, whose ids do not matter.

    Returns:
        `(batch, length)` int32, and `(batch, length)` bool, False for padding.
    """

    def __init__(self, length: int, padding_id: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.length = length
        self.padding_id = padding_id

    def call(self, token_ids, mask):
        mask = ops.cast(mask, "bool")
        more = [[0, 0], [0, self.length]]
        ids = ops.where(mask, token_ids, self.padding_id)
        ids = ops.pad(ids, more, constant_values=self.padding_id)
        mask = ops.pad(ops.cast(mask, "int32"), more)
        return ids[:, : self.length], ops.cast(mask[:, : self.length], "bool")

    def compute_output_spec(self, token_ids, mask):
        shape = (token_ids.shape[0], self.length)
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, "bool")

    def get_config(self):
        config = {"length": self.length, "padding_id": self.padding_id}
        return {**super().get_config(), **config}
