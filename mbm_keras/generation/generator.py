"""A layer that writes sequences, so that a model that writes can be exported."""

from collections.abc import Sequence

import keras

from mbm_keras.generation.greedy import GreedySearch
from mbm_keras.generation.protocols import Decoder
from mbm_keras.generation.protocols import Search


@keras.saving.register_keras_serializable(package="mbm_keras.generation.generator")
class SequenceGenerator(keras.layers.Layer):
    """Writes sequences of tokens with a decoder and a search.

    Args:
        decoder: A layer that fulfils `mbm_keras.generation.Decoder`. Its `build` takes
            the shapes of the inputs of `begin`.
        max_length: int >= 1, the largest number of tokens, the end included.
        search: A `mbm_keras.generation.Search`, such as `BeamSearch(5)`. Default:
            `GreedySearch()`.
        end: Id of the end.
        exclude: Ids that are never written. Default: padding and unknown words.
        seed: int or None, for a search that samples.

    Call arguments:
        *inputs: The inputs of `decoder.begin`, `(batch, ...)` each.

    Returns:
        `(batch, max_length)` int32, zeros after the end.

    Raises:
        ValueError: If `max_length` is below 1.
    """

    def __init__(
        self,
        decoder: Decoder,
        max_length: int,
        search: Search | None = None,
        end: int = 2,
        exclude: Sequence[int] = (0, 1),
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if max_length < 1:
            raise ValueError(
                f"Expected max_length >= 1. Received: max_length={max_length}."
            )
        self.decoder = decoder
        self.max_length = max_length
        self.search = GreedySearch() if search is None else search
        self.end = end
        self.exclude = tuple(exclude)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, *shapes):
        if not self.decoder.built:  # after loading from a file
            self.decoder.build(*shapes)

    def call(self, *inputs):
        state, context = self.decoder.begin(*inputs)
        return self.search(
            self.decoder.step,
            state,
            context,
            max_length=self.max_length,
            end=self.end,
            exclude=self.exclude,
            seed=self.seed_generator,
        )

    def compute_output_spec(self, *inputs):
        return keras.KerasTensor((inputs[0].shape[0], self.max_length), "int32")

    def get_config(self):
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "max_length": self.max_length,
            "search": keras.saving.serialize_keras_object(self.search),
            "end": self.end,
            "exclude": self.exclude,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        read = keras.saving.deserialize_keras_object
        objects = {name: read(config[name]) for name in ("decoder", "search")}
        return cls(**{**config, **objects})
