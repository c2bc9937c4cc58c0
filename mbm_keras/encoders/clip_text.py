"""Text encoder: the half of CLIP that reads texts.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision", https://arxiv.org/abs/2103.00020, section 2.4. Deviation: no dropout of
the attention weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import AddPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.preset import Preset

NAMES = BlockNames(
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    output="self_attn.out_proj",
    attention_norm="layer_norm1",
    expand="mlp.fc1",
    contract="mlp.fc2",
    mlp_norm="layer_norm2",
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
            projection_width=4,
        )
    ),
    "clip_vit_b": Preset(
        dict(
            vocabulary_size=49_408,
            width=512,
            num_heads=8,
            num_blocks=12,
            hidden_width=2_048,
            projection_width=512,
        ),
        parameters=63_428_096,
        source="https://huggingface.co/openai/clip-vit-base-patch32",
    ),
    "clip_vit_l": Preset(
        dict(
            vocabulary_size=49_408,
            width=768,
            num_heads=12,
            num_blocks=12,
            hidden_width=3_072,
            projection_width=768,
        ),
        parameters=123_650_304,
        source="https://huggingface.co/openai/clip-vit-large-patch14",
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
    num_positions: int = 77,
    end_id: int | None = None,
    activation: str = "quick_gelu",
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    name: str = "clip_text",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        vocabulary_size: int > 0, number of token ids.
        width: int > 0, width of a token, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        projection_width: int > 0, width of the embedding, that of the images.
        num_positions: int > 0, the most tokens of a text.
        end_id: int >= 0, id of the token at the end of a text, whose output is the
            embedding; None if it is the highest id.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `token_ids`: `(batch, steps)` int32.
        Input `mask`: `(batch, steps)` bool, False for padding.
        Output `sequence`: `(batch, steps, width)` float32, padding included.
        Output `embedding`: `(batch, projection_width)` float32, not normalized.
        Output `mask`: as the input.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, or the activation is
            unknown.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    at = "text_model.embeddings"
    # (batch, steps, width)
    x = layers.Embedding(vocabulary_size, width, name=f"{at}.token_embedding")(
        token_ids
    )
    x = AddPositions(num_positions, name=f"{at}.position_embedding")(x)
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=epsilon,
        norm_first=True,
        causal=True,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"text_model.encoder.layers.{i}.", mask)
    x = layers.LayerNormalization(epsilon=epsilon, name="text_model.final_layer_norm")(
        x
    )
    y = TokenAtEnd(end_id)(x, token_ids)  # (batch, width)
    y = layers.Dense(projection_width, use_bias=False, name="text_projection")(y)
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
    text = config.get("text_config") or config  # of both halves, or of this one
    end_id = text.get("eos_token_id", 49_407)
    return dict(
        vocabulary_size=text.get("vocab_size", 49_408),
        width=text.get("hidden_size", 512),
        num_heads=text.get("num_attention_heads", 8),
        num_blocks=text.get("num_hidden_layers", 12),
        hidden_width=text.get("intermediate_size", 2_048),
        projection_width=config.get("projection_dim", 512),
        num_positions=text.get("max_position_embeddings", 77),
        # Files of the first years say 2, which is not what their texts end with.
        end_id=None if end_id == 2 else end_id,
        activation=text.get("hidden_act", "quick_gelu"),
        epsilon=text.get("layer_norm_eps", 1e-5),
    )


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.clip_text")
class TokenAtEnd(layers.Layer):
    """The output at the token that ends a text.

    Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4.
    Deviation: of a text without this token, the first output.

    Args:
        end_id: int >= 0, id of this token; its first one counts. None for the first
            token with the highest id of the text.

    Call arguments:
        x: `(batch, steps, width)`, float.
        token_ids: `(batch, steps)` int32.

    Returns:
        `(batch, width)`, float.
    """

    def __init__(self, end_id: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.end_id = end_id

    def call(self, x, token_ids):
        if self.end_id is not None:
            token_ids = ops.cast(ops.equal(token_ids, self.end_id), "int32")
        index = ops.argmax(token_ids, axis=1)[:, None, None]
        return ops.take_along_axis(x, index, axis=1)[:, 0]

    def compute_output_spec(self, x, token_ids):
        return keras.KerasTensor((x.shape[0], x.shape[-1]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "end_id": self.end_id}
