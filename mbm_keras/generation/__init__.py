"""Loops that write a sequence token by token, for any model with a `Decoder`.

One file per search; each is a frozen dataclass that fulfils `Search`, so that
`SequenceGenerator` and a user's own code take any of them.
"""

from mbm_keras.generation.beam_search import BeamSearch
from mbm_keras.generation.generator import SequenceGenerator
from mbm_keras.generation.greedy import GreedySearch
from mbm_keras.generation.inverse_cdf import inverse_cdf
from mbm_keras.generation.protocols import Decoder
from mbm_keras.generation.protocols import Search
from mbm_keras.generation.sampling import Sampling
from mbm_keras.generation.truncate import truncate_logits

__all__ = [
    "BeamSearch",
    "Decoder",
    "GreedySearch",
    "Sampling",
    "Search",
    "SequenceGenerator",
    "inverse_cdf",
    "truncate_logits",
]
