"""What a sentence means: its intent, a tag for each of its words, or both."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.layers.sentence_decoder import SentenceDecoder
from mbm_keras.sentence_answers import Layout
from mbm_keras.tasks.entity_score import EntityF1


@dataclasses.dataclass(frozen=True)
class Understanding:
    """The intent of a sentence, the tags of its words, or both.

    The target is `(batch, 1 + n)` integers: the id of the intent from 0 on, then the
    ids of the tags from 1 on, 0 = padding. An id above the number of tags is a tag that
    is not learned and counts as wrong. The output is described in
    `mbm_keras.sentence_answers`.

    Args:
        num_intents: Number of intents; 0 for none.
        tags: The tags in the order of their ids; empty for none.
        sequence_length: The largest number of words.
        name: Name of the output and of the target.

    Raises:
        ValueError: If there are neither intents nor tags.
    """

    num_intents: int = 0
    tags: tuple[str, ...] = ()
    sequence_length: int = 64
    name: str = "intent"

    per_step: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "tags", tuple(self.tags))
        if not self.num_intents and not self.tags:
            raise ValueError(
                "Expected num_intents >= 1 or a tag. Received: "
                f"num_intents={self.num_intents}, tags={self.tags}."
            )

    @property
    def monitor(self):
        """The metric by which the best epoch is chosen; None for the loss.

        The loss of a sequence of tags rises while its entities still get better: a
        model becomes too sure of them.
        """
        return "entity_f1" if self.tags else None

    @property
    def layout(self):
        """Where the parts of an answer are."""
        return Layout(self.num_intents, len(self.tags))

    @property
    def size(self):
        return self.layout.size(self.sequence_length)

    def head(self, x, name=None):
        """Maps features of every word `(batch, steps, width)` to answers.

        It has no right tags, and hence no loss of them: a model that learns tags calls
        `decoder`.

        Args:
            x: Features, `(batch, steps, width)`.
            name: Name of the output; None for the name of the task.

        Returns:
            `(batch, size)` float32.
        """
        inputs = {}
        if self.num_intents:
            inputs["sentence"] = ops.mean(x, axis=1)
        if self.tags:
            inputs |= {"states": x, "mask": ops.ones_like(x[:, :, 0], dtype="bool")}
        return self.decoder(name)(inputs)

    def decoder(self, name=None):
        """The layer that gives the output, see `mbm_keras.layers.SentenceDecoder`."""
        name = output_name(name or self.name)
        return SentenceDecoder(self.num_intents, self.tags, name=name)

    def output(self, x, name=None):
        """Answers `(batch, size)` as they are, in float32."""
        name = output_name(name or self.name)
        return keras.layers.Identity(dtype="float32", name=name)(x)

    def loss(self):
        """Minus the log probability of the intent and of all tags together."""
        return SentenceLoss(self.num_intents, len(self.tags))

    def metrics(self):
        """Shares of right answers; of intent and tags together first."""
        kinds = ["sentence"] * bool(self.tags)
        kinds += ["intent"] * (self.num_intents > 0) + ["word"] * bool(self.tags)
        found = [Accuracy(self.num_intents, len(self.tags), kind) for kind in kinds]
        return [*found, *([EntityF1(self.num_intents, self.tags)] if self.tags else [])]

    def right_rows(self, truth, output):
        """Which sentences are right as a whole, as the first metric counts them.

        Args:
            truth: `(rows, 1 + n)`.
            output: `(rows, size)`.

        Returns:
            `(rows,)` bool.
        """
        truth, layout = np.asarray(truth), self.layout
        right = np.ones(len(truth), bool)
        if self.num_intents:
            right &= np.argmax(layout.intents(output), axis=1) == truth[:, 0]
        if self.tags:
            tags = np.rint(layout.tags(output))
            steps = min(tags.shape[1], truth.shape[1] - 1)
            gold = truth[:, 1 : 1 + steps]
            right &= ((gold == tags[:, :steps]) | (gold == 0)).all(axis=1)
        return right

    def chance(self, truth):
        """The loss of a model that answers with the shares of intents and of tags.

        Args:
            truth: `(rows, 1 + n)`.
        """
        truth, loss = np.asarray(truth), 0.0
        if self.num_intents:
            loss += _entropy(truth[:, 0])
        known = truth[:, 1:][(truth[:, 1:] > 0) & (truth[:, 1:] <= len(self.tags))]
        if self.tags and len(known):
            loss += _entropy(known) * len(known) / len(truth)
        return float(loss)

    def feed(self, inputs, targets):
        """Adds the tags of the target to the inputs: the loss of a CRF needs them.

        Args:
            inputs: Arrays by name of the input, `(batch, ...)`.
            targets: Arrays by name of the target, `(batch, ...)`.

        Returns:
            The inputs, where there are tags with `inputs.teacher_name(name)` among
            them, and the targets.
        """
        if not self.tags:
            return inputs, targets
        return {**inputs, teacher_name(self.name): targets[self.name]}, targets


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.understanding")
class SentenceLoss(keras.losses.Loss):
    """L = -log p(intent) - log p(tags): the second part comes from the model itself.

    Args:
        num_intents: Number of intents, 0 for none.
        num_tags: Number of tags, 0 for none.
        name: Name of the loss.
        reduction: As for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, 1 + n)` integers.
        y_pred: `(batch, size)`, see `mbm_keras.sentence_answers`.
    """

    def __init__(
        self,
        num_intents=0,
        num_tags=0,
        name="sentence_loss",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.layout = Layout(num_intents, num_tags)

    def call(self, y_true, y_pred):
        loss = ops.sum(self.layout.loss(y_pred), axis=1)
        if self.layout.num_intents:
            loss += ops.sparse_categorical_crossentropy(
                ops.cast(y_true[:, 0], "int32"),
                self.layout.intents(y_pred),
                from_logits=True,
            )
        return loss

    def get_config(self):
        return {**super().get_config(), **dataclasses.asdict(self.layout)}


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.understanding")
class Accuracy(keras.metrics.Mean):
    """The share of right sentences, intents or words.

    Args:
        num_intents: Number of intents, 0 for none.
        num_tags: Number of tags, 0 for none.
        kind: `"sentence"` for sentences whose intent and tags are all right,
            `"intent"`, or `"word"` for words whose tag is.
        name: Name of the metric; None for `<kind>_accuracy`.
        dtype: As for `keras.metrics.Mean`.
    """

    def __init__(self, num_intents=0, num_tags=0, kind="word", name=None, dtype=None):
        super().__init__(name=name or f"{kind}_accuracy", dtype=dtype)
        self.layout, self.kind = Layout(num_intents, num_tags), kind

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        intents, words, valid = self._right(y_true, y_pred)
        right, weights = intents, None
        if self.kind == "word":
            right, weights = words, valid
        elif self.kind == "sentence":
            right = ops.logical_and(
                intents, ops.all(ops.logical_or(words, valid == 0.0), axis=1)
            )
        if sample_weight is not None:
            rows = ops.cast(sample_weight, "float32")
            weights = rows if weights is None else weights * ops.reshape(rows, (-1, 1))
        super().update_state(ops.cast(right, "float32"), weights)

    def _right(self, y_true, y_pred):
        """Which intents and which words are right, and which words there are."""
        intents = ops.ones_like(y_true[:, 0], dtype="bool")
        if self.layout.num_intents:
            best = ops.argmax(self.layout.intents(y_pred), axis=1)
            intents = ops.cast(best, "int32") == ops.cast(y_true[:, 0], "int32")
        tags = ops.cast(self.layout.tags(y_pred), "int32")  # (batch, steps)
        gold = ops.cast(y_true[:, 1:], "int32")
        gold = ops.concatenate([gold, ops.zeros_like(tags)], axis=1)
        gold = gold[:, : ops.shape(tags)[1]]
        return intents, gold == tags, ops.cast(gold > 0, "float32")

    def get_config(self):
        return {
            **dataclasses.asdict(self.layout),
            "kind": self.kind,
            "name": self.name,
            "dtype": self.dtype,
        }


def _entropy(ids):
    _, counts = np.unique(ids, return_counts=True)
    share = counts / counts.sum()
    return -np.sum(share * np.log(share))
