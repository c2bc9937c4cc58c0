"""Table tower: a transformer over one token per column; its first token is the output.

    token of a number j    x_j w_j + b_j        of a category    E_j[id] + b_j
    y   = x + attention(norm(x))                no norm in the first block
    out = y + W_2 (a * relu(g)) + b_2           a, g = halves of W_1 norm(y) + b_1
    embedding = relu(norm(first token))

Source: Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data",
https://arxiv.org/abs/2106.11959, section 3.3 and appendix E; the form of the authors'
code, `rtdl_revisiting_models.FTTransformer`, whose output layer is the head of a task.
Deviation: a missing number has a vector of its own.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import LearnedTokens
from mbm_keras.layers import NumberEmbedding
from mbm_keras.layers import split_table

EPSILON = 1e-5  # of the normalizations, as in the authors' code
PRESETS = {
    "tiny": dict(numbers=2, categories=(4, 3), num_heads=2, num_blocks=2, width=8),
    # The default of the authors' code.
    "published": dict(
        numbers=8, num_heads=8, num_blocks=3, width=192, attention_dropout=0.2,
        dropout=0.1,
    ),
}  # fmt: skip


def build(
    numbers: int,
    categories: Sequence[int] = (),
    *,
    num_heads: int = 8,
    num_blocks: int = 2,
    attention_dropout: float = 0.1,
    width: int = 128,
    dropout: float = 0.05,
    pool: bool = True,
    name: str = "table",
) -> keras.Model:
    """Builds the tower.

    Args:
        numbers: int >= 0, number of numeric columns.
        categories: ints > 1, for each categorical column the number of its ids,
            including those for absent and unknown.
        num_heads: int > 0, attention heads of each block, `width / num_heads` wide
            each.
        num_blocks: int > 0, number of blocks.
        attention_dropout: float in [0, 1), dropout rate of the attention.
        width: int > 0, width of a token and of the output, a multiple of `num_heads`.
        dropout: float in [0, 1), dropout rate in the hidden layer of a block.
        pool: bool. True for the first token, False for the sequence of all tokens.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, 2 * numbers + len(categories))` float32, as for
        `table_mlp`.
        Output: `(batch, width)` float32 if `pool`, else
        `(batch, 1 + numbers + len(categories), width)`.

    Raises:
        ValueError: If there are no columns, or `width` is not a multiple of
            `num_heads`.
    """
    if width % num_heads:
        raise ValueError(
            "Expected a `width` that is a multiple of `num_heads`. "
            f"Received: width={width}, num_heads={num_heads}."
        )
    table = keras.Input((2 * numbers + len(categories),), name=name)
    values, flags, ids = split_table(table, numbers, categories)
    tokens = [LearnedTokens(1, width, stddev=width**-0.5)(table)]  # (batch, 1, width)
    if numbers:
        tokens.append(NumberEmbedding(width)(values, flags))
    if categories:
        tokens.append(CategoryTokens(categories, width)(ops.stack(ids, axis=1)))
    x = layers.Concatenate(axis=1)(tokens)  # (batch, 1 + columns, width)
    hidden = int(width * 4 / 3)  # as many weights as twice the width without gates
    for i in range(num_blocks):
        y = layers.LayerNormalization(epsilon=EPSILON)(x) if i else x
        is_last = pool and i + 1 == num_blocks
        query, x = (y[:, :1], x[:, :1]) if is_last else (y, x)
        y = layers.MultiHeadAttention(
            num_heads, width // num_heads, dropout=attention_dropout
        )(query, y)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=EPSILON)(x)
        y = layers.Dense(2 * hidden)(y)
        y = y[:, :, :hidden] * ops.relu(y[:, :, hidden:])
        y = layers.Dense(width)(layers.Dropout(dropout)(y))
        x = layers.Add()([x, y])
    x = ops.relu(layers.LayerNormalization(epsilon=EPSILON)(x))
    if pool:
        x = x[:, 0]  # (batch, width)
    return keras.Model([table], x, name=tower_name(name))


@keras.saving.register_keras_serializable(package="mbm_keras.towers.ft_transformer")
class CategoryTokens(keras.layers.Layer):
    """A vector for each category, and one for its column.

    Args:
        sizes: ints > 0, number of ids of each column.
        width: int > 0, width of a token.

    Call arguments:
        ids: `(batch, columns)` int32.

    Returns:
        `(batch, columns, width)`, float.
    """

    def __init__(self, sizes: Sequence[int], width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.sizes = tuple(int(size) for size in sizes)
        self.width = width

    def build(self, shape):
        bound = self.width**-0.5
        uniform = keras.initializers.RandomUniform(-bound, bound)
        rows = (sum(self.sizes), self.width)
        self.table = self.add_weight(rows, uniform, name="table")
        self.bias = self.add_weight((len(self.sizes), self.width), uniform, name="bias")

    def call(self, ids):
        starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        rows = ids + ops.convert_to_tensor(starts, dtype=ids.dtype)
        return ops.take(self.table, rows, axis=0) + self.bias

    def compute_output_shape(self, shape):
        return (*shape, self.width)

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes, "width": self.width}
