"""Classification by names of classes alone, which no row has taught."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

TEMPLATES = ("{}", "a photo of a {}.", "a picture of the {}.")


def label_vectors(
    embed: Callable[[list[str]], Any],
    labels: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
) -> np.ndarray:
    """One vector per label: the mean of those of its templates, of length 1.

    Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 3.1.4.
    Deviation: none.

    Args:
        embed: Texts to vectors `(texts, width)` of length 1.
        labels: Names of the classes.
        templates: Texts with `{}` where the name is.

    Returns:
        `(labels, width)` float32.

    Raises:
        ValueError: If there are fewer than two labels, two are equal, or a template
            has no `{}`.
    """
    names, texts = list(labels), list(templates)
    if len(set(names)) != len(names) or len(names) < 2:
        raise ValueError(
            f"Expected two labels or more, each of them once. Received: {names}."
        )
    if not texts or not all("{}" in text for text in texts):
        raise ValueError(f"Expected templates with {{}}. Received: {texts}.")
    filled = [text.replace("{}", name) for name in names for text in texts]
    vectors = np.asarray(embed(filled)).reshape(len(names), len(texts), -1)
    means = vectors.mean(axis=1)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def zero_shot_probabilities(
    vectors: Any, labels: Any, *, scale: float, bias: float, kind: str
) -> np.ndarray:
    """How probable each label is for each value.

    Args:
        vectors: `(rows, width)` of length 1.
        labels: What `label_vectors` returned.
        scale: The scale of the model.
        bias: Its bias.
        kind: `"clip"` for probabilities that sum to 1, `"siglip"` for one of each
            label by itself, see `mbm_keras.tasks.Association`.

    Returns:
        `(rows, labels)` float.
    """
    logits = scale * np.asarray(vectors) @ np.asarray(labels).T + bias
    if kind == "siglip":
        return 1 / (1 + np.exp(-logits))
    logits -= logits.max(axis=1, keepdims=True)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
