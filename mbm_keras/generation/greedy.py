"""Greedy search: the most probable next token at every step."""

import dataclasses

import keras
from keras import ops

from mbm_keras.generation.loop import generate


@keras.saving.register_keras_serializable(package="mbm_keras.generation.greedy")
@dataclasses.dataclass(frozen=True)
class GreedySearch:
    """Takes the most probable next token, again and again.

        y_t = argmax_y p(y | y_1 .. y_{t-1})

    Call arguments and result: see `mbm_keras.generation.Search`.
    """

    def __call__(
        self, step, state, context, *, max_length, end, exclude=(0,), seed=None
    ):
        def choose(log_p, t):
            return ops.argmax(log_p, axis=-1)

        return generate(step, state, context, choose, max_length, end, exclude)

    def get_config(self):
        """The arguments, for `keras.saving`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """Builds the search that `get_config` describes."""
        return cls(**config)
