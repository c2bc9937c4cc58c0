"""What a decoder and a search are.

Any class with these methods works: it inherits from neither. Token ids are above 0; 0
is padding. A search ends a sequence with the id `end` and pads it with zeros.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import runtime_checkable

Step = Callable[[Any, Any, Any], tuple[Any, Any]]  # `Decoder.step`


@runtime_checkable
class Decoder(Protocol):
    """Predicts the next token of a sequence from the tokens before it."""

    def begin(self, *inputs: Any) -> tuple[Any, Any]:
        """Prepares the decoding of a batch.

        Args:
            *inputs: What the sequence is about, such as the regions of an image,
                `(batch, ...)` each.

        Returns:
            state: Tensors that change with every token, `(batch, ...)` each, in any
                structure.
            context: Tensors that stay the same, `(batch, ...)` each, in any structure.
        """
        ...

    def step(self, token: Any, state: Any, context: Any) -> tuple[Any, Any]:
        """Advances by one token.

        Args:
            token: `(batch,)` int32, the last token; 0 before the first one.
            state: As `begin` and `step` return it.
            context: As `begin` returns it.

        Returns:
            logits: `(batch, vocabulary_size)` of the next token.
            state: The same structure, shapes and dtypes as the argument `state`.
        """
        ...


@runtime_checkable
class Search(Protocol):
    """Chooses the tokens of a sequence.

    A search is a loop of the backend over all rows at once: it is compiled with the
    model, and ends as soon as every sequence has ended.
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
        """Decodes a batch of sequences.

        Args:
            step: `Decoder.step`.
            state: The first state, from `Decoder.begin`.
            context: The context, from `Decoder.begin`.
            max_length: The largest number of tokens, the end included.
            end: Id of the end.
            exclude: Ids that are never chosen, such as padding and unknown words.
            seed: An int or a `keras.random.SeedGenerator`, for a search that samples.

        Returns:
            `(batch, max_length)` int32, zeros after the end.
        """
        ...
