"""Heads that scikit-learn fits: a plain pipeline of each modality, in the graph.

An answer directly from one input, next to that of its tower. Few rows are enough for a
linear model or a forest; `mbm_keras.training.calibrate` finds how far to trust each.

Source: stacking, Wolpert 1992, "Stacked Generalization",
https://doi.org/10.1016/S0893-6080(05)80023-1; forests, Breiman 2001, "Random Forests",
https://doi.org/10.1023/A:1010933404324; boosting, Friedman 2001, "Greedy Function
Approximation", https://doi.org/10.1214/aos/1013203451.
"""

from typing import Any
from typing import Literal

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import fitted_name
from mbm_keras.layers import FittedGrams
from mbm_keras.layers import FittedLinear
from mbm_keras.layers import FittedTrees
from mbm_keras.layers import ImageStatistics
from mbm_keras.layers import PixelValues
from mbm_keras.layers import SpectrogramStatistics
from mbm_keras.layers import heard_steps
from mbm_keras.layers import mean_and_spread
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers.table_columns import split_table

MOST_ONE_HOT = 64  # ids of a category that each have a number of their own
BOOSTED_TREES, BOOSTED_LEAVES, BOOSTED_DEPTH = 100, 31, 8
FOREST_TREES, FOREST_LEAVES, FOREST_DEPTH = 100, 128, 12
_MOST_OF_VECTOR = 4_096  # numbers that are fitted one by one
_MOST_ANSWERS = 10  # that trees are grown for: boosting grows one per answer and step


def build_fitted(
    spec: InputSpec,
    tensor: Any,
    units: int,
    *,
    scale: Literal["answer", "probability", "share"] = "answer",
) -> dict[str, keras.Model]:
    """The fitted heads of an input.

    Args:
        spec: The input.
        tensor: Its `keras.Input` in the whole model.
        units: Number of answers.
        scale: What the answers are, see `FittedTrees`.

    Returns:
        Models from the input to `(batch, units)` by kind: `"linear"`, and for tables
        also `"boosting"` and `"forest"`. The last layer of each is the one to fit.
        Empty for a modality without a plain pipeline.
    """
    inner = keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=spec.key)
    makers = {
        "text": _of_text,
        "audio": _of_audio,
        "image": _of_image,
        "table": _of_table,
        "vector": _of_vector,
        "sequence": _of_sequence,
    }
    if spec.modality not in makers:
        return {}
    answers = makers[spec.modality](inner, spec, units, scale)
    return {
        kind: keras.Model([inner], answer, name=fitted_name(spec.key, kind))
        for kind, answer in answers.items()
    }


def _of_text(text, spec, units, scale):
    num_grams = spec.sizes.get("num_grams", 0)
    if not num_grams:
        return {}
    return {
        "linear": FittedGrams(units, num_grams, spec.sizes["sequence_length"])(text)
    }


def _of_audio(audio, spec, units, scale):
    mask = None if audio.shape[1] else nonzero_steps(audio)
    statistics = SpectrogramStatistics(center=False)(audio, heard_steps(audio, mask))
    return {"linear": FittedLinear(units)(statistics)}


def _of_image(image, spec, units, scale):
    if image.shape[-1] != 3 or None in image.shape[1:] or image.shape[1] < 3:
        return {}
    pixels = layers.Rescaling(1 / 255)(PixelValues()(image))
    return {"linear": FittedLinear(units)(ImageStatistics()(pixels))}


def _of_vector(vector, spec, units, scale):
    # Each number of an embedding may be the one that decides.
    linear = FittedLinear(units, most_values=_MOST_OF_VECTOR)
    return {"linear": linear(layers.Flatten()(vector))}


def _of_sequence(sequence, spec, units, scale):
    x = layers.Reshape((-1, sequence.shape[-1]))(sequence)
    both = mean_and_spread(x, nonzero_steps(x))
    return {"linear": FittedLinear(units)(ops.concatenate(both, axis=-1))}


def _of_table(table, spec, units, scale):
    numbers, categories = spec.sizes["numbers"], spec.sizes["categories"]
    values, flags, ids = split_table(table, numbers, categories)
    parts = [values, flags] if numbers else []
    parts += [
        ops.one_hot(ops.minimum(column, size - 1), size)
        for column, known in zip(ids, categories, strict=True)
        for size in [min(known, MOST_ONE_HOT)]
    ]
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    found = {"linear": FittedLinear(units)(x)}
    if units > _MOST_ANSWERS:
        return found
    # Of two labels that exclude each other one is enough.
    columns = 1 if (units, scale) == (2, "probability") else units
    trees, nodes = columns * BOOSTED_TREES, 2 * BOOSTED_LEAVES - 1
    boosting = FittedTrees(units, trees, nodes, BOOSTED_DEPTH)
    nodes = 2 * FOREST_LEAVES - 1
    forest = FittedTrees(units, FOREST_TREES, nodes, FOREST_DEPTH, scale)
    return {**found, "boosting": boosting(table), "forest": forest(table)}
