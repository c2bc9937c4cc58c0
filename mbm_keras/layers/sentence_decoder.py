"""The answer about a sentence: its intent, whether it has one, and a tag per word."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras import tag_scheme
from mbm_keras.layers import crf
from mbm_keras.layers.unit_embeddings import to_unit_length
from mbm_keras.sentence_answers import SCOPES

_ANY = -100.0  # a threshold that every sentence is above


@keras.saving.register_keras_serializable(package="mbm_keras.layers.sentence_decoder")
class SentenceDecoder(keras.layers.Layer):
    """Heads of a sentence: intents, scope, and a CRF over the tags of its words.

        z = W s + b                              logits of the intents
        E = V h_t + c                            scores of the tags of word t, see `crf`

        scope by probability    max softmax(z)
                 energy         log sum exp(z)
                 mahalanobis    -min_k |R (s / |s| - mu_k)| / sqrt(width)

    where R R^T is the inverse of the covariance of `s / |s|` that all intents share,
    and `mu_k` its mean for an intent. R, the means, and the thresholds of the three are
    weights that no gradient reaches: `mbm_keras.training.fit_scope` sets them after
    training.

    Source: Goo et al. 2018, "Slot-Gated Modeling for Joint Slot Filling and Intent
    Prediction", https://doi.org/10.18653/v1/N18-2118, for one loss of both; Hendrycks
    and Gimpel 2017, https://arxiv.org/abs/1610.02136, for the probability; Liu et al.
    2020, "Energy-based Out-of-distribution Detection",
    https://arxiv.org/abs/2010.03759; Lee et al. 2018, "A Simple Unified Framework",
    https://arxiv.org/abs/1807.03888, section 2.1; Mueller and Hein 2025,
    "Mahalanobis++", https://arxiv.org/abs/2505.18032, for the unit length: what is out
    of the scope has shorter vectors, which are close to all means. Deviation: the root
    of the distance, by the root of the width, which is about 1.

    Args:
        num_intents: int, number of intents; 0 for none.
        tags: The tags in the order of their ids, which begin with 1; empty for none.
            What the scheme of the tags forbids has no probability, see `tag_scheme`.

    Call arguments:
        inputs: A dict of:
            sentence: `(batch, width)`, s, where there are intents.
            states: `(batch, steps, width)`, h, where there are tags.
            mask: `(batch, steps)` bool, True for words, where there are tags.
            target: `(batch, 1 + n)` int32, an intent and the right tags by their ids, 0
                = padding; the tags of a row with an id above their number are not
                learned from. Absent for a model that only answers.
        training: bool. In training probabilities of tags and margins are 0.

    Returns:
        `(batch, size)` float32, see `mbm_keras.sentence_answers`.
    """

    def __init__(self, num_intents: int, tags: Sequence[str] = (), **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_intents = num_intents
        self.tags = tuple(tags)
        self.supports_masking = True  # it takes its mask as an argument

    @property
    def parts(self) -> dict[str, Any]:
        """The symbolic tensors that it was called with, by their names."""
        tensors = keras.tree.flatten(self.input)
        return dict(zip(self._names, tensors, strict=True))

    def build(self, shapes):
        self._names = keras.tree.flatten({name: name for name in shapes})
        if self.num_intents:
            width = shapes["sentence"][-1]
            self.intent = keras.layers.Dense(self.num_intents, dtype="float32")
            self.intent.build((None, width))
            self.root = self._constant("root", (width, width))
            # Means, and what is compared with them, from here: small, and so exact.
            self.origin = self._constant("origin", (width,))
            self.centers = self._constant("centers", (self.num_intents, width))
            self.thresholds = self._constant("thresholds", (len(SCOPES),))
            self.thresholds.assign([0.0, _ANY, _ANY])
        if self.tags:
            number = len(self.tags)
            self.emission = keras.layers.Dense(number, dtype="float32")
            self.emission.build((None, None, shapes["states"][-1]))
            self.transitions = self.add_weight((number, number), name="transitions")
            self.start = self.add_weight((number,), "zeros", name="start")
            self.end = self.add_weight((number,), "zeros", name="end")

    def _constant(self, name, shape):
        return self.add_weight(shape, "zeros", trainable=False, name=name)

    def call(self, inputs, training=False):
        parts = []
        if self.num_intents:
            logits = self.intent(inputs["sentence"])
            parts += [logits, self._margins(inputs["sentence"], logits, training)]
        if self.tags:
            parts += self._tag(inputs, training)
        return ops.concatenate(parts, axis=1)

    def scope_scores(self, sentence: Any, logits: Any) -> Any:
        """How much a sentence is like those of training, `(batch, 3)`, see `SCOPES`.

        Args:
            sentence: `(batch, width)`, s.
            logits: `(batch, num_intents)`, z.
        """
        most = ops.max(logits, axis=1, keepdims=True)
        total = ops.sum(ops.exp(logits - most), axis=1, keepdims=True)
        x = ops.matmul(to_unit_length(sentence) - self.origin, self.root)
        centers = ops.convert_to_tensor(self.centers)
        squares = (
            ops.sum(x * x, axis=1, keepdims=True)
            - 2.0 * ops.matmul(x, ops.transpose(centers))
            + ops.sum(centers * centers, axis=1)
        )  # (batch, num_intents)
        closest = ops.maximum(ops.min(squares, axis=1, keepdims=True), 0.0)
        distance = ops.sqrt(closest / sentence.shape[1])
        return ops.concatenate([1.0 / total, ops.log(total) + most, -distance], axis=1)

    def _margins(self, sentence, logits, training):
        if training:
            return ops.repeat(ops.zeros_like(logits[:, :1]), len(SCOPES), axis=1)
        thresholds = ops.convert_to_tensor(self.thresholds)
        return self.scope_scores(sentence, logits) - thresholds

    def _tag(self, inputs, training):
        mask = inputs["mask"]
        allowed, may_start, may_end = tag_scheme.find_allowed(self.tags)
        model = (
            _forbid(self.transitions, allowed),
            _forbid(self.start, may_start),
            _forbid(self.end, may_end),
        )
        emissions = self.emission(inputs["states"])  # (batch, steps, tags)
        path = crf.viterbi(emissions, mask, *model)  # (batch, steps)
        valid = ops.cast(mask, "float32")
        ids = (ops.cast(path, "float32") + 1.0) * valid
        own = pairs = ops.zeros_like(ids)
        if not training:
            _, own, pairs = crf.marginals(emissions, path, mask, *model)
        words = ops.reshape(
            ops.stack([ids, own, pairs], axis=2), (ops.shape(ids)[0], -1)
        )
        return [self._loss(inputs, emissions, mask, model), words]

    def _loss(self, inputs, emissions, mask, model):
        """Minus the log probability of the right tags, `(batch, 1)`."""
        if "target" not in inputs:
            return ops.zeros_like(emissions[:, 0, :1])
        steps = ops.shape(mask)[1]
        padding = ops.zeros_like(mask, dtype="int32")
        gold = ops.cast(inputs["target"][:, 1:], "int32")
        gold = ops.concatenate([gold, padding], axis=1)[:, :steps]
        known = ops.all(gold <= len(self.tags), axis=1, keepdims=True)
        mask = ops.logical_and(ops.logical_and(mask, gold > 0), known)
        gold = ops.clip(gold - 1, 0, len(self.tags) - 1)
        return -crf.log_likelihood(emissions, gold, mask, *model)[:, None]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs, training=False):
        size = self.num_intents + len(SCOPES) * (self.num_intents > 0)
        batch = next(iter(inputs.values())).shape[0]
        if self.tags:
            steps = inputs["mask"].shape[1]
            size = None if steps is None else size + 1 + 3 * steps
        return keras.KerasTensor((batch, size), "float32")

    def get_config(self):
        config = {"num_intents": self.num_intents, "tags": list(self.tags)}
        return {**super().get_config(), **config}


def _forbid(scores, allowed):
    # JAX does not take a variable of Keras.
    scores = ops.convert_to_tensor(scores)
    return ops.where(np.asarray(allowed), scores, crf.FORBIDDEN)
