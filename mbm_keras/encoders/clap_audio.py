"""Sound encoder: the half of CLAP that hears sounds, a Swin transformer.

Source: Wu et al. 2022, "Large-scale Contrastive Language-Audio Pretraining with Feature
Fusion and Keyword-to-Caption Augmentation", https://arxiv.org/abs/2211.06687, section
3.1; Chen et al. 2022, "HTS-AT", https://arxiv.org/abs/2202.00874, section 2. Deviation:
no stochastic depth; the fusion of several windows of a long sound is not built.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

from mbm_keras.encoders.swin import EPSILON
from mbm_keras.encoders.swin import Stages
from mbm_keras.layers import NamedActivation
from mbm_keras.preset import Preset

_A = -0.75  # coefficient of the cubic interpolation, that of PyTorch
PRESETS = {
    "tiny": Preset(
        dict(
            frames=30,
            num_mel_bins=8,
            grid_size=16,
            patch_size=4,
            width=4,
            depths=(2, 1),
            num_heads=(1, 2),
            window=2,
            projection_width=4,
        )
    ),
    "clap_htsat": Preset(
        dict(width=96, depths=(2, 2, 6, 2), num_heads=(4, 8, 16, 32)),
        parameters=28_190_872,
        source="https://huggingface.co/laion/clap-htsat-unfused",
    ),
}


def build(
    *,
    width: int,
    depths: Sequence[int],
    num_heads: Sequence[int],
    frames: int = 1_001,
    num_mel_bins: int = 64,
    grid_size: int = 256,
    patch_size: int = 4,
    patch_stride: int = 4,
    patch_norm: bool = True,
    window: int = 8,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    projection_width: int = 512,
    projection_activation: str = "relu",
    activation: str = "gelu",
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    name: str = "clap_audio",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    The spectrogram is stretched in time, cut into chunks, and these are put one below
    the other, so that it is a square as an image is.

    Args:
        width: int > 0, width of the first stage; each further stage doubles it.
        depths: ints > 0, blocks of each stage.
        num_heads: ints > 0, attention heads of each stage.
        frames: int > 0, frames of a spectrogram, at most `grid_size ** 2 /
            num_mel_bins`.
        num_mel_bins: int > 0, number of mel bands, which divides `grid_size`.
        grid_size: int > 0, height and width of the square.
        patch_size: int > 0, height and width of a patch.
        patch_stride: int > 0, distance between patches.
        patch_norm: bool, whether patches are normalized.
        window: int > 0, rows and columns of a window, in patches of its stage.
        mlp_ratio: float > 0, hidden width of each MLP in widths of its stage.
        qkv_bias: bool, whether queries, keys and values have a bias.
        projection_width: int > 0, width of the embedding, that of the texts.
        projection_activation: str, activation of the projection.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations of blocks.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `spectrogram`: `(batch, frames, num_mel_bins)` float32, as
        `mbm_keras.preprocessing.ClapLogMel` gives it.
        Output `sequence`: `(batch, regions, width')` float32, band by band, each in the
        order of time, with `width' = width * 2 ** (len(depths) - 1)`.
        Output `embedding`: `(batch, projection_width)` float32, not normalized.

    Raises:
        ValueError: If the spectrogram does not fit into the square, a stage has fewer
            rows than a window, or an activation is unknown.
    """
    chunks, rest = divmod(grid_size, num_mel_bins)
    steps = grid_size * chunks
    if rest or not 1 <= frames <= steps:
        raise ValueError(
            "Expected num_mel_bins that divide grid_size, and a spectrogram that fits "
            f"into a square of it. Received: frames={frames}, "
            f"num_mel_bins={num_mel_bins}, grid_size={grid_size}."
        )
    spectrogram = keras.Input((frames, num_mel_bins), name="spectrogram")
    at = "audio_model.audio_encoder"
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{at}.batch_norm")(
        spectrogram
    )  # per mel band

    # The square: (batch, grid_size, grid_size, 1)
    x = StretchTime(steps)(x)
    x = layers.Reshape((chunks, grid_size, num_mel_bins))(x)
    x = layers.Permute((1, 3, 2))(x)
    x = layers.Reshape((grid_size, grid_size, 1))(x)

    # Patches and stages: (batch, rows, columns, width)
    x = layers.ZeroPadding2D((patch_size - patch_stride) // 2)(x)
    x = layers.Conv2D(width, patch_size, patch_stride, name=f"{at}.patch_embed.proj")(x)
    if patch_norm:
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{at}.patch_embed.norm")(x)
    stages = Stages(
        depths=tuple(depths),
        num_heads=tuple(num_heads),
        window=window,
        mlp_ratio=mlp_ratio,
        qkv_bias=qkv_bias,
        activation=activation,
        epsilon=epsilon,
        dropout=dropout,
    )
    x = stages(x, f"{at}.layers.")
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{at}.norm")(x)

    # Back to bands and time: (batch, bands * chunks * columns, width')
    rows, columns, channels = x.shape[1:]
    if rows % chunks:
        raise ValueError(
            "Expected chunks of whole rows after the last stage. "
            f"Received: rows={rows}, chunks={chunks}."
        )
    x = layers.Reshape((chunks, rows // chunks, columns, channels))(x)
    x = layers.Reshape((-1, channels))(layers.Permute((2, 1, 3, 4))(x))
    y = layers.GlobalAveragePooling1D()(x)
    y = project(y, projection_width, projection_activation, "audio_projection")
    return keras.Model([spectrogram], {"sequence": x, "embedding": y}, name=name)


def project(x: Any, width: int, activation: str, name: str) -> Any:
    """The projection of CLAP into the space of sounds and texts.

    Args:
        x: `(batch, ...)`, a pooled sequence.
        width: int > 0, width of the space.
        activation: str, activation between the two dense layers.
        name: Name of the projection in the checkpoint.

    Returns:
        `(batch, width)`, not normalized.
    """
    x = NamedActivation(activation)(layers.Dense(width, name=f"{name}.linear1")(x))
    return layers.Dense(width, name=f"{name}.linear2")(x)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.

    Raises:
        ValueError: If the patches are not square.
    """
    audio = config.get("audio_config") or {}
    stride = audio.get("patch_stride", 4)
    stride = [stride, stride] if isinstance(stride, int) else list(stride)
    if stride[0] != stride[1]:
        raise ValueError(f"Expected square patches. Received: patch_stride={stride}.")
    bins, size = audio.get("num_mel_bins", 64), audio.get("spec_size", 256)
    return dict(
        width=audio.get("patch_embeds_hidden_size", 96),
        depths=tuple(audio.get("depths", (2, 2, 6, 2))),
        num_heads=tuple(audio.get("num_attention_heads", (4, 8, 16, 32))),
        # The published models hear 10 seconds in hops of 10 ms.
        frames=min(1_001, size * size // bins),
        num_mel_bins=bins,
        grid_size=size,
        patch_size=audio.get("patch_size", 4),
        patch_stride=stride[0],
        patch_norm=audio.get("enable_patch_layer_norm", True),
        window=audio.get("window_size", 8),
        mlp_ratio=audio.get("mlp_ratio", 4.0),
        qkv_bias=audio.get("qkv_bias", True),
        projection_width=config.get("projection_dim", 512),
        projection_activation=audio.get("projection_hidden_act", "relu"),
        activation=audio.get("hidden_act", "gelu"),
        epsilon=audio.get("layer_norm_eps", 1e-5),
    )


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.clap_audio")
class StretchTime(layers.Layer):
    """Cubic interpolation of a spectrogram to a number of steps, ends on ends.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing",
    https://doi.org/10.1109/TASSP.1981.1163711. Deviation: a = -0.75 instead of -0.5,
    and values beyond the ends repeat them, as in PyTorch.

    Args:
        steps: int > 0, number of steps of the output.

    Call arguments:
        x: `(batch, frames, bands)`, float.

    Returns:
        `(batch, steps, bands)`, float.
    """

    def __init__(self, steps: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, x):
        if x.shape[1] == self.steps:
            return x
        shares = ops.convert_to_tensor(cubic_shares(x.shape[1], self.steps), x.dtype)
        return shares @ x

    def compute_output_spec(self, x):
        shape = (x.shape[0], self.steps, x.shape[2])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}


def cubic_shares(old: int, new: int) -> np.ndarray:
    """Shares of `old` values in each of `new` ones, `(new, old)` float32."""
    # In single precision, as PyTorch computes where a value is.
    scale = np.float32(old - 1) / np.float32(max(new - 1, 1))
    center = np.arange(new, dtype="float32") * scale
    first = np.floor(center).astype(int)
    shares = np.zeros((new, old))
    for offset in (-1, 0, 1, 2):
        x = np.abs(center - (first + offset))
        near = ((_A + 2) * x - (_A + 3)) * x * x + 1
        far = ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
        weight = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
        column = np.clip(first + offset, 0, old - 1)
        np.add.at(shares, (np.arange(new), column), weight)
    return shares.astype("float32")
