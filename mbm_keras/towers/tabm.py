"""Table tower: several MLPs that share their matrices, the mean of their embeddings.

    l(x) = s_i * (W (r_i * x)) + b_i     of member i, `*` by element

Source: Gorishniy et al. 2024, "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling", https://arxiv.org/abs/2410.24210, section 3, which
begins with all `r` and `s` at 1 but the first `r`, and embeds numbers by pieces
(`NumberEmbedding`); Wen et al. 2020, "BatchEnsemble",
https://arxiv.org/abs/2002.06715. Deviation: a whole TabM has a head for each member,
and the loss is the mean over the members. A tower ends before the head: the members
share that of the task, which takes their mean. So that each learns by its own error all
the same, a row trains one member that is drawn at random, as a part of the batch does
in BatchEnsemble. A missing number has a vector of its own; categories of more than 16
ids are embedded, as in `table_mlp`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import NumberEmbedding
from mbm_keras.layers import normal_edges
from mbm_keras.layers import split_table

PRESETS = {
    "tiny": dict(
        numbers=2, categories=(4, 3), units=(8,), num_members=3, num_bins=3,
        embedding_width=2, width=8,
    ),
    # The default of the authors' code with embeddings of numbers.
    "published": dict(
        numbers=8, units=(512,), num_members=32, num_bins=48, embedding_width=16,
        dropout=0.1, width=512,
    ),
}  # fmt: skip
MOST_ONE_HOT = 16  # ids of a category; more of them are embedded


def build(
    numbers: int,
    categories: Sequence[int] = (),
    *,
    units: Sequence[int] = (128,),
    num_members: int = 16,
    num_bins: int = 16,
    embedding_width: int = 8,
    width: int = 128,
    dropout: float = 0.1,
    pool: bool = True,
    name: str = "table",
) -> keras.Model:
    """Builds the tower.

    Args:
        numbers: int >= 0, number of numeric columns.
        categories: ints > 1, for each categorical column the number of its ids,
            including those for absent and unknown.
        units: ints > 0, widths of the hidden layers before the last one.
        num_members: int > 0, number of MLPs.
        num_bins: int >= 0, pieces of the embedding of a number; 0 for a linear one.
        embedding_width: int > 0, width of the embedding of a number.
        width: int > 0, width of the last hidden layer and of the output.
        dropout: float in [0, 1), dropout rate after each hidden layer.
        pool: bool. True for one embedding, False for a sequence of one vector.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, 2 * numbers + len(categories))` float32, as for
        `table_mlp`.
        Output: `(batch, width)` float32 if `pool`, else `(batch, 1, width)`.

    Raises:
        ValueError: If there are no columns, or no members.
    """
    if num_members < 1:
        raise ValueError(
            f"Expected num_members >= 1. Received: num_members={num_members}."
        )
    table = keras.Input((2 * numbers + len(categories),), name=name)
    values, flags, ids = split_table(table, numbers, categories)
    parts, chunks = [], []  # chunks: numbers of x that come from one column
    if numbers:
        embed = NumberEmbedding(embedding_width, normal_edges(num_bins))
        parts.append(layers.Flatten()(embed(values, flags)))
        chunks += [embedding_width] * numbers
    for size, column in zip(categories, ids, strict=True):
        if size <= MOST_ONE_HOT:
            parts.append(ops.one_hot(column, size))  # (batch, size)
        else:
            parts.append(layers.Embedding(size, round(1.6 * size**0.56))(column))
        chunks.append(parts[-1].shape[-1])
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    x = layers.RepeatVector(num_members)(x)  # (batch, members, columns)
    for size in (*units, width):
        x = MemberDense(size, chunks)(x)  # (batch, members, size)
        x = layers.Dropout(dropout)(layers.ReLU()(x))
        chunks = []
    x = MemberMean()(x)  # (batch, width)
    if not pool:
        x = layers.Reshape((1, width))(x)
    return keras.Model([table], x, name=tower_name(name))


@keras.saving.register_keras_serializable(package="mbm_keras.towers.tabm")
class MemberMean(keras.layers.Layer):
    """The mean over the members; in training, one member that is drawn for each row.

    So every member learns by its own error, as with a head of its own. Members that
    learn by the error of their mean overfit like one large MLP.

    Args:
        seed: int, seed of the draws; None for a random one.

    Call arguments:
        x: `(batch, members, units)`, float.

    Returns:
        `(batch, units)`, float.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, x, training=None):
        if not training:
            return ops.mean(x, axis=1)
        members = x.shape[1]
        drawn = keras.random.randint((ops.shape(x)[0],), 0, members, seed=self.random)
        return ops.sum(x * ops.one_hot(drawn, members, dtype=x.dtype)[:, :, None], 1)

    def compute_output_shape(self, shape):
        return (shape[0], shape[2])

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="mbm_keras.towers.tabm")
class MemberDense(keras.layers.Layer):
    """A linear layer of each member, which differ by vectors alone: `l` of the file.

    With n inputs and u outputs it has n u + members (n + 2 u) weights.

    Args:
        units: int > 0, outputs of a member.
        chunks: ints > 0, how many inputs come from each column, for the first layer:
            those of a column begin with one random factor. Empty to begin with ones.

    Call arguments:
        x: `(batch, members, n)`, float.

    Returns:
        `(batch, members, units)`, float.
    """

    def __init__(self, units: int, chunks: Sequence[int] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.chunks = tuple(int(size) for size in chunks)

    def build(self, shape):
        members, inputs = shape[1:]
        bound = inputs**-0.5
        uniform = keras.initializers.RandomUniform(-bound, bound)
        self.kernel = self.add_weight((inputs, self.units), uniform, name="kernel")
        first = self._factors if self.chunks else "ones"
        self.r = self.add_weight((members, inputs), first, name="r")
        self.s = self.add_weight((members, self.units), "ones", name="s")
        self.bias = self.add_weight((members, self.units), _same(bound), name="bias")

    def _factors(self, shape, dtype=None):
        """A normal number for each member and column."""
        factors = keras.random.normal((shape[0], len(self.chunks)), dtype=dtype)
        repeats = [i for i, size in enumerate(self.chunks) for _ in range(size)]
        return ops.take(factors, ops.array(repeats), axis=1)

    def call(self, x):
        return ops.matmul(x * self.r, self.kernel) * self.s + self.bias

    def compute_output_shape(self, shape):
        return (*shape[:2], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "chunks": self.chunks}


def _same(bound):
    """Uniform numbers, the same for each member."""

    def make(shape, dtype=None):
        row = keras.random.uniform((1, shape[1]), -bound, bound, dtype=dtype)
        return ops.repeat(row, shape[0], axis=0)

    return make
