"""What published encoders add to their tokens: positions, first tokens, scales.

Each layer has one weight, with the shape that checkpoints have.
"""

from typing import Any

import keras
from keras import ops

PACKAGE = "mbm_keras.layers.encoder_tokens"


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddFirstRow(keras.layers.Layer):
    """Adds the first row of a table to every step: the embedding of segment 0.

    Source: Devlin et al. 2019, "BERT", https://arxiv.org/abs/1810.04805, section 3.
    Deviation: all of a text is segment 0.

    Args:
        num_rows: int > 0, rows of the table.

    Call arguments:
        x: `(batch, steps, width)`, float.

    Returns:
        `(batch, steps, width)`, float.
    """

    def __init__(self, num_rows: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_rows = num_rows

    def build(self, shape):
        self.table = self.add_weight((self.num_rows, shape[-1]), "normal", name="table")

    def call(self, x):
        return x + ops.cast(self.table[0], x.dtype)

    def get_config(self):
        return {**super().get_config(), "num_rows": self.num_rows}


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddPositions(keras.layers.Layer):
    """Adds a learned vector for each position of a sequence.

    Source: Devlin et al. 2019, "BERT", https://arxiv.org/abs/1810.04805, section 3;
    Liu et al. 2019, "RoBERTa", https://arxiv.org/abs/1907.11692, whose code counts the
    tokens that are not padding, from `padding_id + 1` on. Deviation: none.

    Args:
        num_positions: int > 0, rows of the table.
        padding_id: int >= 0, id of padding, for positions as in RoBERTa; None for
            positions 0, 1, 2 ...

    Call arguments:
        x: `(batch, steps, width)`, float.
        token_ids: `(batch, steps)` int32; needed if `padding_id` is given.

    Returns:
        `(batch, steps, width)`, float.

    Raises:
        ValueError: If there are more steps than positions.
    """

    def __init__(self, num_positions: int, padding_id: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.num_positions = num_positions
        self.padding_id = padding_id

    def build(self, shape, *ids_shape):
        self.table = self.add_weight(
            (self.num_positions, shape[-1]), "normal", name="table"
        )

    def call(self, x, token_ids=None):
        first = 0 if self.padding_id is None else self.padding_id + 1
        steps = x.shape[1]
        if steps is not None and steps > self.num_positions - first:
            raise ValueError(
                f"Expected at most {self.num_positions - first} steps: the encoder "
                f"has no more positions. Received: steps={steps}."
            )
        table = ops.cast(self.table, x.dtype)
        if self.padding_id is None:
            return x + table[: ops.shape(x)[1]]
        valid = ops.cast(ops.not_equal(token_ids, self.padding_id), "int32")
        positions = ops.cumsum(valid, axis=1) * valid + self.padding_id
        return x + ops.take(table, positions, axis=0)  # (batch, steps, width)

    def compute_output_spec(self, x, token_ids=None):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_positions": self.num_positions,
            "padding_id": self.padding_id,
        }


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddGridPositions(keras.layers.Layer):
    """Adds a learned vector to each patch of an image, and to the tokens before them.

    Positions of a checkpoint with another grid are interpolated when they are loaded.

    Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words",
    https://arxiv.org/abs/2010.11929, section 3.1. Deviation: none.

    Args:
        grid: Rows and columns of patches.
        num_tokens: int >= 0, tokens before the patches that have a position too.
        published_grid: Rows and columns of the checkpoint to load; None for the same,
            or for a square of another size.
        antialias: bool. True if a checkpoint's positions are smoothed where they are
            interpolated to fewer.

    Call arguments:
        x: `(batch, num_tokens + rows * columns, width)`, float.

    Returns:
        `(batch, num_tokens + rows * columns, width)`, float.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_tokens: int = 0,
        published_grid: tuple[int, int] | None = None,
        antialias: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.grid = tuple(grid)
        self.num_tokens = num_tokens
        self.published_grid = None if published_grid is None else tuple(published_grid)
        self.antialias = antialias

    def build(self, shape):
        rows, columns = self.grid
        self.table = self.add_weight(
            (self.num_tokens + rows * columns, shape[-1]), "normal", name="table"
        )

    def call(self, x):
        return x + ops.cast(self.table, x.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "grid": self.grid,
            "num_tokens": self.num_tokens,
            "published_grid": self.published_grid,
            "antialias": self.antialias,
        }


@keras.saving.register_keras_serializable(package=PACKAGE)
class PrependTokens(keras.layers.Layer):
    """Puts learned tokens into a sequence, the same for every row.

    Source: Devlin et al. 2019, "BERT", https://arxiv.org/abs/1810.04805, section 3.
    Deviation: none.

    Args:
        num_tokens: int > 0, number of tokens.
        index: int >= 0, how many steps of the sequence are before them.

    Call arguments:
        x: `(batch, steps, width)`, float.

    Returns:
        `(batch, num_tokens + steps, width)`, float.
    """

    def __init__(self, num_tokens: int = 1, index: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_tokens = num_tokens
        self.index = index

    def build(self, shape):
        self.tokens = self.add_weight(
            (self.num_tokens, shape[-1]), "normal", name="tokens"
        )

    def call(self, x):
        tokens = ops.cast(self.tokens, x.dtype)[None]  # (1, num_tokens, width)
        tokens = ops.repeat(tokens, ops.shape(x)[0], axis=0)
        return ops.concatenate([x[:, : self.index], tokens, x[:, self.index :]], axis=1)

    def compute_output_spec(self, x):
        steps = None if x.shape[1] is None else x.shape[1] + self.num_tokens
        return keras.KerasTensor((x.shape[0], steps, x.shape[2]), self.compute_dtype)

    def get_config(self):
        config = {"num_tokens": self.num_tokens, "index": self.index}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ScaleChannels(keras.layers.Layer):
    """Multiplies each channel by a learned number.

    Source: Touvron et al. 2021, "Going deeper with Image Transformers",
    https://arxiv.org/abs/2103.17239, section 2. Deviation: none.

    Args:
        initial: float, initial value of the numbers.

    Call arguments:
        x: `(batch, ..., width)`, float.

    Returns:
        The shape and dtype of `x`.
    """

    def __init__(self, initial: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, shape):
        constant = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight((shape[-1],), constant, name="scale")

    def call(self, x):
        return x * ops.cast(self.scale, x.dtype)

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}
