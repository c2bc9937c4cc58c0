"""Table tower: an MLP over numbers and embedded categories.

Source: Guo and Berkhahn 2016, "Entity Embeddings of Categorical Variables",
https://arxiv.org/abs/1604.06737. Deviation: each number comes with a flag
that is 1 if the number is present.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name

PRESETS = {"tiny": dict(numbers=2, categories=(4, 3), units=(8,), width=8)}


def build(
    numbers: int,
    categories: Sequence[int] = (),
    *,
    units: Sequence[int] = (128,),
    width: int = 128,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "table",
) -> keras.Model:
    """Builds the tower.

    Args:
        numbers: int >= 0, number of numeric columns.
        categories: ints > 1, for each categorical column the number of its ids,
            including those for absent and unknown.
        units: ints > 0, widths of the hidden layers.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate after each hidden layer.
        pool: bool. True for one embedding, False for a sequence of one vector.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, 2 * numbers + len(categories))` float32: the
        numbers of mean 0 and scale 1 (0 if absent), then a flag for each number (1 if
        present), then the ids of the categories (0 = absent, 1 = unknown or rare).
        Output: `(batch, width)` float32 if `pool`, else `(batch, 1, width)`.

    Raises:
        ValueError: If there are no columns.
    """
    if numbers + len(categories) < 1:
        raise ValueError(
            "Expected at least one column. "
            f"Received: numbers={numbers}, categories={categories}."
        )
    table = keras.Input((2 * numbers + len(categories),), name=name)
    parts = [table[:, : 2 * numbers]] if numbers else []
    for i, size in enumerate(categories):
        ids = ops.cast(table[:, 2 * numbers + i], "int32")  # (batch,)
        # A rule of thumb: width 4 for 5 ids, 21 for 100, 77 for 1,000.
        parts.append(layers.Embedding(size, max(2, round(1.6 * size**0.56)))(ids))
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    for size in units:
        x = layers.Dense(size, activation="relu")(x)  # (batch, size)
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, width)
    if not pool:
        x = layers.Reshape((1, width))(x)
    return keras.Model([table], x, name=tower_name(name))
