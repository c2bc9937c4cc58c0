"""Sampling: tokens drawn at random from the distribution of the model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras import tree

from mbm_keras.generation.inverse_cdf import inverse_cdf
from mbm_keras.generation.loop import generate
from mbm_keras.generation.protocols import Step
from mbm_keras.generation.truncate import truncate_logits


@keras.saving.register_keras_serializable(package="mbm_keras.generation.sampling")
@dataclasses.dataclass(frozen=True)
class Sampling:
    """Draws each token from p(y | y_1 .. y_{t-1}) ** (1 / temperature), normalized.

    Source of `top_p`: Holtzman et al. 2020, "The Curious Case of Neural Text
    Degeneration", https://arxiv.org/abs/1904.09751, section 3.1. Deviation: none.

    Args:
        temperature: float > 0, what log probabilities are divided by. Below 1, probable
            tokens become more probable.
        top_k: int >= 1. Only the `top_k` most probable tokens are drawn; None for all.
        top_p: float in (0, 1]. Only the fewest most probable tokens are drawn whose
            probabilities add up to `top_p`; None for all.

    Call arguments and result: see `mbm_keras.generation.Search`.

    Raises:
        ValueError: If a number is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self):
        if not (
            self.temperature > 0
            and (self.top_k is None or self.top_k >= 1)
            and (self.top_p is None or 0 < self.top_p <= 1)
        ):
            raise ValueError(
                "Expected temperature > 0, top_k >= 1 or None, 0 < top_p <= 1 or None. "
                f"Received: temperature={self.temperature}, top_k={self.top_k}, "
                f"top_p={self.top_p}."
            )

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
        batch = ops.shape(tree.flatten(state)[0])[0]
        # All random numbers first: the state of a generator cannot change in a loop.
        uniform = keras.random.uniform((batch, max_length), seed=seed)

        def choose(log_p, t):
            logits = truncate_logits(log_p / self.temperature, self.top_k, self.top_p)
            p = ops.softmax(logits, axis=-1)  # (batch, vocabulary_size)
            return inverse_cdf(p, ops.take(uniform, t, axis=1))  # (batch,)

        return generate(step, state, context, choose, max_length, end, exclude)

    def get_config(self):
        """The arguments, for `keras.saving`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """Builds the search that `get_config` describes."""
        return cls(**config)
