"""Beam search: the most probable sequences among those that a few beams follow."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras import tree

from mbm_keras.generation.loop import NEVER
from mbm_keras.generation.loop import log_probabilities
from mbm_keras.generation.protocols import Step


@keras.saving.register_keras_serializable(package="mbm_keras.generation.beam_search")
@dataclasses.dataclass(frozen=True)
class BeamSearch:
    """Follows the `num_beams` sequences with the best scores, and takes the best.

        score(y) = log p(y) / ((5 + |y|) / 6) ** length_penalty

    Source: Wu et al. 2016, "Google's Neural Machine Translation System",
    https://arxiv.org/abs/1609.08144, section 7, equation 14. Deviation: no coverage
    penalty; a sequence that has ended keeps its beam as long as its score is good
    enough.

    Args:
        num_beams: int >= 1, sequences per row.
        length_penalty: float. 0 compares log probabilities; larger values favor long
            sequences.

    Call arguments and result: see `mbm_keras.generation.Search`.

    Raises:
        ValueError: If `num_beams` is below 1.
    """

    num_beams: int = 5
    length_penalty: float = 0.0

    def __post_init__(self):
        if self.num_beams < 1:
            raise ValueError(
                f"Expected num_beams >= 1. Received: num_beams={self.num_beams}."
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
        tokens, _ = self.candidates(
            step, state, context, max_length=max_length, end=end, exclude=exclude
        )
        return tokens[:, 0]

    def candidates(
        self,
        step: Step,
        state: Any,
        context: Any,
        *,
        max_length: int,
        end: int,
        exclude: Sequence[int] = (0,),
    ) -> tuple[Any, Any]:
        """All sequences that the beams end with.

        Args:
            step: See `mbm_keras.generation.Search`.
            state: See `Search`.
            context: See `Search`.
            max_length: See `Search`.
            end: See `Search`.
            exclude: See `Search`.

        Returns:
            tokens: `(batch, num_beams, max_length)` int32, best first, zeros after the
                end.
            scores: `(batch, num_beams)` float32.
        """
        n = self.num_beams
        batch = ops.shape(tree.flatten(state)[0])[0]
        # Beams are rows: (batch * n, ...).
        state, context = tree.map_structure(
            lambda x: ops.repeat(x, n, axis=0), (state, context)
        )
        first_beam = ops.reshape(ops.arange(batch) * n, (-1, 1))  # (batch, 1)
        # All beams are equal in the first step: only one of them is continued.
        total = ops.where(ops.arange(n) == 0, 0.0, NEVER)
        total = ops.repeat(ops.cast(total, "float32")[None], batch, axis=0)
        tokens = ops.zeros((batch, n, max_length), "int32")
        lengths = ops.zeros((batch, n), "float32")
        ended = ops.zeros((batch, n), "bool")

        def condition(t, tokens, lengths, ended, score, total, *flat):
            return ops.logical_and(t < max_length, ops.logical_not(ops.all(ended)))

        def body(t, tokens, lengths, ended, score, total, *flat):
            last = ops.take(tokens, ops.maximum(t - 1, 0), axis=2)  # (batch, n)
            old = tree.pack_sequence_as(state, flat)
            logits, new = step(ops.reshape(last, (-1,)), old, context)
            size = logits.shape[-1]
            log_p = ops.reshape(log_probabilities(logits, exclude), (-1, n, size))
            only_padding = ops.where(ops.arange(size) == 0, 0.0, NEVER)
            log_p = ops.where(ended[:, :, None], only_padding, log_p)
            sums = total[:, :, None] + log_p  # (batch, n, size)
            lengths = lengths + ops.cast(ops.logical_not(ended), "float32")
            penalty = ops.power((5.0 + lengths) / 6.0, self.length_penalty)
            ranked = ops.reshape(sums / penalty[:, :, None], (-1, n * size))
            score, index = ops.top_k(ranked, n)  # (batch, n)
            index = ops.cast(index, "int32")
            parent, token = index // size, index % size
            sums = ops.reshape(sums, (-1, n * size))
            total = ops.take_along_axis(sums, index, axis=1)
            lengths = ops.take_along_axis(lengths, parent, axis=1)
            ended = ops.take_along_axis(ended, parent, axis=1)
            tokens = ops.take_along_axis(tokens, parent[:, :, None], axis=1)
            tokens = ops.where(ops.arange(max_length) == t, token[:, :, None], tokens)
            ended = ops.logical_or(ended, token == end)
            rows = ops.reshape(first_beam + parent, (-1,))  # (batch * n,)
            flat = [ops.take(x, rows, axis=0) for x in tree.flatten(new)]
            return t + 1, tokens, lengths, ended, score, total, *flat

        first = (ops.convert_to_tensor(0, "int32"), tokens, lengths, ended, total)
        flat = tree.flatten(state)  # `while_loop` takes no nested structures
        done = ops.while_loop(condition, body, (*first, total, *flat))
        return done[1], done[4]

    def get_config(self):
        """The arguments, for `keras.saving`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """Builds the search that `get_config` describes."""
        return cls(**config)
