"""Greedy search: the most probable next token at every step."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.generation.loop import generate
from mbm_keras.generation.protocols import Step


@keras.saving.register_keras_serializable(package="mbm_keras.generation.greedy")
@dataclasses.dataclass(frozen=True)
class GreedySearch:
    """Takes the most probable next token, again and again.

        y_t = argmax_y p(y | y_1 .. y_{t-1})

    Call arguments and result: see `mbm_keras.generation.Search`.
    """

    def __call__(
        self,
        step: Step,
        state: Any,
        context: Any,
        *,
        max_length: int,
        end: int,
        exclude: Sequence[int] = (0,),
        seed: Any = None,
    ) -> Any:
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
