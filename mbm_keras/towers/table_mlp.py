"""Table tower: an MLP over numbers and embedded categories.

Source: Guo and Berkhahn 2016, "Entity Embeddings of Categorical Variables",
https://arxiv.org/abs/1604.06737. Deviation: a number has a flag beside it that
says whether it was there at all.
"""

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name

PRESETS = {"tiny": dict(numbers=2, categories=(4, 3), units=(8,), width=8)}


def build(
    numbers,
    categories=(),
    *,
    units=(128,),
    width=128,
    dropout=0.0,
    pool=True,
    name="table",
):
    """Builds the tower.

    Args:
        numbers: How many number columns there are.
        categories: For each category column the number of its ids, absent and
            unknown included.
        units: Sizes of the hidden layers.
        width: Size of the output.
        dropout: Rate of dropout after each hidden layer.
        pool: True for one embedding, False for a sequence of one vector.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, 2 * numbers + len(categories))` float32. First the
        standardised numbers (0 where absent), then a 1 for each number that is
        there, then the ids of the categories (0 = absent, 1 = unknown).
        Output: `(batch, width)` float32 if `pool`, else `(batch, 1, width)`.

    Raises:
        ValueError: If there is no column at all.
    """
    if numbers + len(categories) < 1:
        raise ValueError(
            "A table has at least one column. "
            f"Received: numbers={numbers}, categories={categories}."
        )
    table = keras.Input((2 * numbers + len(categories),), name=name)
    parts = [table[:, : 2 * numbers]] if numbers else []
    for i, size in enumerate(categories):
        ids = ops.cast(table[:, 2 * numbers + i], "int32")  # (batch,)
        # A rule of thumb: 4 wide for 5 ids, 21 for 100, 77 for 1,000.
        parts.append(layers.Embedding(size, max(2, round(1.6 * size**0.56)))(ids))
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    for size in units:
        x = layers.Dense(size, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu")(x)  # (batch, width)
    if not pool:
        x = layers.Reshape((1, width))(x)
    return keras.Model([table], x, name=tower_name(name))
