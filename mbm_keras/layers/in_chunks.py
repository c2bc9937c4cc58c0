"""Gradient caching: a tower that sees a large batch a chunk at a time."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mbm_keras.layers.in_chunks")
class InChunks(keras.layers.Layer):
    """Runs a tower over a batch in chunks, and keeps only what it returns.

    A loss over all pairs of a batch needs all embeddings at once, but not what the
    tower computed on the way to them. In training each chunk is embedded and the rest
    forgotten; for its gradient the chunk is embedded again, with the same random state
    and hence the same dropout. The memory is that of one chunk, the time a third more,
    and the gradients are those of the whole batch. On a CPU, JAX merges both passes
    again, and needs the memory of the batch.

    That is exact for towers in which no row sees another one. Batch normalization has
    the statistics of a chunk, where it would have those of the batch.

    Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory
    Limited Setup", https://arxiv.org/abs/2101.06983, section 3.2. Deviation: the chunks
    are part of one graph, which a plain `fit` trains.

    Args:
        tower: A functional `keras.Model` with one input and one output `(batch, ...)`.
        chunks: int, number of chunks. Where a batch is not a multiple of it, rows are
            repeated whose outputs are not used.

    Call arguments:
        x: `(batch, ...)`, what the tower takes.

    Returns:
        What the tower returns.
    """

    def __init__(self, tower: keras.Model, chunks: int, **kwargs: Any):
        super().__init__(**kwargs)
        if chunks < 1:
            raise ValueError(f"Expected chunks >= 1. Received: chunks={chunks}.")
        self.tower, self.chunks = tower, chunks

    def call(self, x, training=False):
        if not training or self.chunks == 1:
            return self.tower(x, training=training)
        weights = [v.value for v in self.tower.trainable_variables]
        # A copy: on the way back the variables have another random state.
        state = [ops.copy(v) for v in self.tower.non_trainable_variables]
        rows = ops.shape(x)[0]
        size = (rows + self.chunks - 1) // self.chunks
        parts = []
        for i in range(self.chunks):
            which = ops.minimum(ops.arange(size) + i * size, rows - 1)
            part, state = self._embed(weights, state, ops.take(x, which, axis=0))
            parts.append(part)
            # One chunk after the other, also on the way back: each waits for the last.
            weights = _after(part, weights)
        for variable, value in zip(
            self.tower.non_trainable_variables, state, strict=True
        ):
            variable.assign(value)
        return ops.concatenate(parts, axis=0)[:rows]

    def _embed(self, weights, state, x):
        """The outputs of a chunk, computed again where their gradient is needed."""

        def embed(*weights):
            y, after = self.tower.stateless_call(list(weights), state, x, training=True)
            return y, [ops.stop_gradient(value) for value in after]

        y, after = keras.remat(embed)(*weights)
        return y, after

    def compute_output_spec(self, x, training=False):
        return keras.KerasTensor(
            (x.shape[0], *self.tower.output_shape[1:]), self.tower.output.dtype
        )

    def get_config(self):
        tower = keras.saving.serialize_keras_object(self.tower)
        return {**super().get_config(), "tower": tower, "chunks": self.chunks}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["tower"] = keras.saving.deserialize_keras_object(config["tower"])
        return cls(**config)


def _after(value, weights):
    """The same weights, once a value is known; its gradient waits for theirs."""
    if not weights:
        return weights  # a frozen tower has no way back
    smallest = min(range(len(weights)), key=lambda i: math.prod(weights[i].shape))
    nothing = ops.cast(0.0 * ops.mean(value), weights[smallest].dtype)
    return [w + nothing if i == smallest else w for i, w in enumerate(weights)]
