"""What is outside of the scope of a model's intents, found after its training."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import linalg

from mbm_keras.layers import SentenceDecoder
from mbm_keras.layers import to_unit_length
from mbm_keras.sentence_answers import SCOPES
from mbm_keras.tasks import Task

_KEPT = 0.95  # of the sentences of validation are within the scope
_SHRINK = 0.1  # of the covariance: towards the mean variance of all directions


def fit_scope(
    model: keras.Model, train: Iterable[Any], valid: Iterable[Any], *, task: Task
) -> dict[str, float]:
    """Fits what decides whether a sentence has one of the intents.

    The means and the covariance are those of the training rows, the thresholds those
    above which 95 % of the rows of validation are, for each way to decide. No sentence
    outside of the scope is needed.

    Source: see `mbm_keras.layers.SentenceDecoder`; Ledoit and Wolf 2004, "A well-
    conditioned estimator for large-dimensional covariance matrices",
    https://doi.org/10.1016/S0047-259X(03)00096-4, for the form of the covariance.
    Deviation: its weight is fixed to 0.1.

    Args:
        model: A functional `keras.Model`. It changes its weights that no gradient
            reaches, and nothing else.
        train: Batches of `(inputs, targets)` to learn from, both by name.
        valid: The same for validation.
        task: The task.

    Returns:
        Threshold by `mbm_keras.sentence_answers.SCOPES`; empty for a model without
        intents, which stays as it is.
    """
    found = [x for x in model.layers if isinstance(x, SentenceDecoder)]
    if not found or not found[0].num_intents:
        return {}
    (decoder,) = found
    tensors = {
        "sentence": decoder.parts["sentence"],
        "answers": model.output[task.name],
    }
    both = keras.Model(model.inputs, tensors)
    sentences, _, intents = _run(both, train, task)
    _set_distribution(decoder, sentences, intents)
    sentences, logits, _ = _run(both, valid, task)
    scores = ops.convert_to_numpy(decoder.scope_scores(sentences, logits))
    thresholds = np.quantile(scores, 1 - _KEPT, axis=0).astype("float32")
    decoder.thresholds.assign(thresholds)
    return dict(zip(SCOPES, thresholds.tolist(), strict=True))


def _run(model, dataset, task):
    """Vectors of the sentences, logits and intents of all rows."""
    sentences, logits, intents = [], [], []
    for x, y in dataset:
        x, y = task.feed(x, y)
        inputs = {tensor.name: np.asarray(x[tensor.name]) for tensor in model.inputs}
        found = model.predict_on_batch(inputs)
        sentences.append(found["sentence"])
        logits.append(task.layout.intents(found["answers"]))
        intents.append(np.asarray(y[task.name])[:, 0])
    return tuple(np.concatenate(part) for part in (sentences, logits, intents))


def _set_distribution(decoder, sentences, intents):
    """Sets the root of the inverse covariance, and the means that it is applied to."""
    x = ops.convert_to_numpy(to_unit_length(sentences)).astype("float64")
    width = x.shape[1]
    means = np.tile(x.mean(axis=0), (decoder.num_intents, 1))
    for intent in np.unique(intents):
        means[intent] = x[intents == intent].mean(axis=0)
    rest = x - means[intents]
    covariance = rest.T @ rest / len(x)
    variance = np.trace(covariance) / width
    covariance = (1 - _SHRINK) * covariance + _SHRINK * variance * np.eye(width)
    values, vectors = linalg.eigh(covariance)
    root = vectors / np.sqrt(np.maximum(values, 1e-12))
    decoder.root.assign(root.astype("float32"))
    origin = x.mean(axis=0)
    decoder.origin.assign(origin.astype("float32"))
    decoder.centers.assign(((means - origin) @ root).astype("float32"))
