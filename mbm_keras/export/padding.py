"""Texts and pages as long as the longest of a request, for models of any length."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf


def cut_padding(
    arrays: Mapping[str, Any], features: Any, model: Any
) -> dict[str, tf.Tensor]:
    """Cuts the steps that all texts of a batch have as padding.

    An encoder that is a part of the model takes as long as its texts are, padding
    included, and most are far shorter than the longest one of the training.

    Args:
        arrays: What `Features.decode_batch` returned, by key of the input.
        features: The `mbm_keras.preprocessing.Features`.
        model: A `keras.Model` that takes them. Inputs of a fixed length stay as they
            are.

    Returns:
        The arrays by key, those of subwords `(batch, steps)` and pages `(batch, words,
        n)` with fewer steps, but one.
    """
    any_length = {
        x.name for x in model.inputs if len(x.shape) > 1 and x.shape[1] is None
    }
    found = dict(arrays)
    for key, preprocessor in features.by_key.items():
        pads_end = getattr(preprocessor, "pads_end", False)
        if key in any_length and pads_end and key in found:
            ids = found[key]
            others = [0, *range(2, ids.shape.rank)]
            used = tf.reduce_any(ids != 0, axis=others)  # (steps,)
            steps = tf.range(1, tf.shape(ids)[1] + 1)
            longest = tf.reduce_max(tf.where(used, steps, 1))
            found[key] = ids[:, :longest]
    return found
