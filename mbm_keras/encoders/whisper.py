"""Sound encoder: the encoder of Whisper, from log-mel energy.

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
Supervision", https://arxiv.org/abs/2212.04356, section 2.2. Deviation: no dropout of
the attention weights.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import AddPositions
from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import NamedActivation
from mbm_keras.layers import PoolTokens
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding
from mbm_keras.preset import Preset

EPSILON = 1e-5  # of the normalizations, as published
NAMES = BlockNames(
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    output="self_attn.out_proj",
    attention_norm="self_attn_layer_norm",
    expand="fc1",
    contract="fc2",
    mlp_norm="final_layer_norm",
)
# Numbers of the encoder alone.
PRESETS = {
    "tiny": Preset(
        dict(
            num_mel_bins=4,
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
            num_positions=16,
        )
    ),
    "whisper_tiny": Preset(
        dict(width=384, num_heads=6, num_blocks=4, hidden_width=1_536),
        parameters=8_208_384,
        source="https://huggingface.co/openai/whisper-tiny",
    ),
    "whisper_base": Preset(
        dict(width=512, num_heads=8, num_blocks=6, hidden_width=2_048),
        parameters=20_590_592,
        source="https://huggingface.co/openai/whisper-base",
    ),
    "whisper_small": Preset(
        dict(width=768, num_heads=12, num_blocks=12, hidden_width=3_072),
        parameters=88_154_112,
        source="https://huggingface.co/openai/whisper-small",
    ),
}


def build(
    *,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    num_mel_bins: int = 80,
    num_positions: int = 1_500,
    activation: str = "gelu",
    dropout: float = 0.0,
    name: str = "whisper",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    It was trained on windows of 30 seconds, silence included, without a mask. A shorter
    window takes less time; how much it changes the output depends on the sound. Frames
    of zeros, which no window of 30 seconds has, are padding: nothing depends on them.

    Args:
        width: int > 0, width of a step, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        num_mel_bins: int > 0, number of mel bands.
        num_positions: int > 0, the most steps; a step is two frames.
        activation: str, activation of convolutions and MLPs, see `NamedActivation`.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `spectrogram`: `(batch, frames, num_mel_bins)` float32, as
        `mbm_keras.preprocessing.WhisperLogMel` gives it; at most `2 * num_positions`
        frames.
        Output `sequence`: `(batch, ceil(frames / 2), width)` float32.
        Output `embedding`: `(batch, width)` float32, the mean of the valid steps.
        Output `mask`: `(batch, ceil(frames / 2))` bool, False for padding.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, or the activation is
            unknown.
    """
    spectrogram = keras.Input((None, num_mel_bins), name="spectrogram")
    x, valid = spectrogram, nonzero_steps(spectrogram)
    for i, stride in (1, 1), (2, 2):
        x = layers.ZeroPadding1D(1)(x)  # alike on both sides, which "same" is not
        x = layers.Conv1D(width, 3, stride, name=f"encoder.conv{i}")(x)
        valid = halve_mask(valid) if stride == 2 else valid
        x = zero_padding(NamedActivation(activation)(x), valid)
    # (batch, steps, width)
    x = AddPositions(num_positions, name="encoder.embed_positions")(x)
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=EPSILON,
        norm_first=True,
        key_bias=False,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layers.{i}.", valid)
    x = layers.LayerNormalization(epsilon=EPSILON, name="encoder.layer_norm")(x)
    outputs = {"sequence": x, "embedding": PoolTokens()(x, valid), "mask": valid}
    return keras.Model([spectrogram], outputs, name=name)


def convolutions_of(config: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Kernel, stride and padding at each side of its convolutions over time.

    Args:
        config: As for `from_config`; all published encoders have the same.
    """
    return [(3, 1, 1), (3, 2, 1)]


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    return dict(
        width=config.get("d_model", 384),
        num_heads=config.get("encoder_attention_heads", 6),
        num_blocks=config.get("encoder_layers", 4),
        hidden_width=config.get("encoder_ffn_dim", 1_536),
        num_mel_bins=config.get("num_mel_bins", 80),
        num_positions=config.get("max_source_positions", 1_500),
        activation=config.get("activation_function", "gelu"),
    )
