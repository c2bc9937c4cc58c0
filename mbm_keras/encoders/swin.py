"""Image encoder: the Swin transformer, attention within shifted windows.

Source: Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using
Shifted Windows", https://arxiv.org/abs/2103.14030, section 3. Deviation: no stochastic
depth.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import NamedActivation
from mbm_keras.layers import PadGrid
from mbm_keras.layers import WindowAttention
from mbm_keras.layers import pair
from mbm_keras.preset import Preset

EPSILON = 1e-5  # of the normalizations of embeddings and merges, as published
PRESETS = {
    "tiny": Preset(
        dict(
            image_size=16,
            patch_size=2,
            width=4,
            depths=(2, 1),
            num_heads=(1, 2),
            window=4,
        )
    ),
    "swin_tiny": Preset(
        dict(width=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24)),
        parameters=27_519_354,
        source="https://huggingface.co/microsoft/swin-tiny-patch4-window7-224",
    ),
    "swin_base": Preset(
        dict(width=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)),
        parameters=86_743_224,
        source="https://huggingface.co/microsoft/swin-base-patch4-window7-224",
    ),
}


@dataclasses.dataclass(frozen=True)
class Stages:
    """Sizes of the stages of a Swin transformer.

    Args:
        depths: ints > 0, blocks of each stage. Every other block shifts its windows.
        num_heads: ints > 0, attention heads of each stage.
        window: int > 0, rows and columns of a window.
        mlp_ratio: float > 0, hidden width of each MLP in widths of its stage.
        qkv_bias: bool, whether queries, keys and values have a bias.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations of blocks.
        dropout: float in [0, 1), dropout rate after each half of a block.
    """

    depths: Sequence[int]
    num_heads: Sequence[int]
    window: int
    mlp_ratio: float
    qkv_bias: bool
    activation: str
    epsilon: float
    dropout: float

    def __call__(self, x: Any, prefix: str) -> Any:
        """Adds the stages to a functional model.

        Args:
            x: `(batch, rows, columns, width)`.
            prefix: What the names of the stages begin with: `encoder.layers.`.

        Returns:
            `(batch, rows', columns', width')`: each stage but the first halves the grid
            and doubles the width.
        """
        for i, depth in enumerate(self.depths):
            if min(x.shape[1:3]) < self.window:
                raise ValueError(
                    f"Expected {self.window} rows and columns or more in each stage, "
                    f"those of a window. Received: {x.shape[1:3]} in stage {i}."
                )
            for j in range(depth):
                x = self._block(x, f"{prefix}{i}.blocks.{j}.", self.num_heads[i], j % 2)
            if i < len(self.depths) - 1:
                x = _merge(x, f"{prefix}{i}.downsample.")
        return x

    def _block(self, x, at, num_heads, shifts):
        rows, columns, width = x.shape[1:]
        # A grid of one window has nothing to shift.
        shift = self.window // 2 if shifts and min(rows, columns) > self.window else 0
        y = self._normalize(x, f"{at}layernorm_before")
        y = PadGrid((self.window, self.window))(y)
        names = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        parts = [layers.Dense(width, use_bias=self.qkv_bias, name=n)(y) for n in names]
        table = f"{at}attention.self.relative_position_bias_table"
        y = WindowAttention(num_heads, self.window, shift, name=table)(*parts)
        y = layers.Dense(width, name=f"{at}attention.output.dense")(y)
        y = y[:, :rows, :columns]
        x = layers.Add()([x, self._drop(y)])
        y = self._normalize(x, f"{at}layernorm_after")
        y = layers.Dense(int(self.mlp_ratio * width), name=f"{at}intermediate.dense")(y)
        y = NamedActivation(self.activation)(y)
        y = layers.Dense(width, name=f"{at}output.dense")(y)
        return layers.Add()([x, self._drop(y)])

    def _drop(self, x):
        return layers.Dropout(self.dropout)(x) if self.dropout else x

    def _normalize(self, x, name):
        return layers.LayerNormalization(epsilon=self.epsilon, name=name)(x)


def build(
    *,
    width: int,
    depths: Sequence[int],
    num_heads: Sequence[int],
    image_size: int | tuple[int, int] = 224,
    patch_size: int = 4,
    window: int = 7,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    learned_positions: bool = False,
    activation: str = "gelu",
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    name: str = "swin",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        width: int > 0, width of the first stage; each further stage doubles it.
        depths: ints > 0, blocks of each stage.
        num_heads: ints > 0, attention heads of each stage.
        image_size: Height and width of an image in pixels, or one int > 0 for both. It
            may differ from that of the checkpoint: positions are relative.
        patch_size: int > 0, height and width of a patch in pixels. An image is padded
            with zeros to whole patches.
        window: int > 0, rows and columns of a window, in patches of its stage.
        mlp_ratio: float > 0, hidden width of each MLP in widths of its stage.
        qkv_bias: bool, whether queries, keys and values have a bias.
        learned_positions: bool, whether patches have a learned position too.
        activation: str, activation of the MLPs, see `NamedActivation`.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `pixels`: `(batch, height, width, 3)` float32, RGB, normalized as the
        checkpoint says.
        Output `sequence`: `(batch, regions, width')` float32, row by row from the top
        left, with `width' = width * 2 ** (len(depths) - 1)`.
        Output `embedding`: `(batch, width')` float32, the mean of the regions.

    Raises:
        ValueError: If a stage has fewer rows or columns than a window, or the
            activation is unknown.
    """
    pixels = keras.Input((*pair(image_size), 3), name="pixels")
    x = PadGrid((patch_size, patch_size))(pixels)
    patch = "embeddings.patch_embeddings.projection"
    x = layers.Conv2D(width, patch_size, patch_size, name=patch)(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="embeddings.norm")(x)
    grid = x.shape[1:3]
    if learned_positions:
        x = layers.Reshape((-1, width))(x)
        x = AddGridPositions(grid, name="embeddings.position_embeddings")(x)
        x = layers.Reshape((*grid, width))(x)
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
    x = stages(x, "encoder.layers.")
    x = layers.Reshape((-1, x.shape[-1]))(x)  # (batch, regions, width')
    x = layers.LayerNormalization(epsilon=epsilon, name="layernorm")(x)
    outputs = {"sequence": x, "embedding": layers.GlobalAveragePooling1D()(x)}
    return keras.Model([pixels], outputs, name=name)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.
    """
    return dict(
        width=config.get("embed_dim", 96),
        depths=tuple(config.get("depths", (2, 2, 6, 2))),
        num_heads=tuple(config.get("num_heads", (3, 6, 12, 24))),
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 4),
        window=config.get("window_size", 7),
        mlp_ratio=config.get("mlp_ratio", 4.0),
        qkv_bias=config.get("qkv_bias", True),
        learned_positions=config.get("use_absolute_embeddings", False),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
    )


def _merge(x, at):
    """Two by two positions become one of twice the width."""
    width = x.shape[-1]
    x = PadGrid((2, 2))(x)
    pairs = [(row, column) for column in range(2) for row in range(2)]
    x = ops.concatenate([x[:, row::2, column::2] for row, column in pairs], axis=-1)
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{at}norm")(x)
    return layers.Dense(2 * width, use_bias=False, name=f"{at}reduction")(x)
