"""The text of a recording, by CTC: logits of every step, and the blank.

The id 0 is the blank of the logits and the padding of the targets. Steps of zeros at
the end of the logits are padding: `head` sets them to zeros.
"""

import dataclasses
from typing import Any
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from mbm_keras.inputs import output_name
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding
from mbm_keras.tasks.ctc import ctc_loss

_LETTERS = 0x10000  # characters above it, in place of ids; none of them is a space


@dataclasses.dataclass(frozen=True)
class Transcription:
    """The text of a recording, aligned with it by CTC.

        L = -log sum_a prod_t p_t(a_t), over all alignments a of the text

    An alignment has a symbol or the blank for every step; repetitions are merged and
    blanks left out. Equal symbols in a row have a blank between them.

    Source: Graves et al. 2006, "Connectionist Temporal Classification",
    https://doi.org/10.1145/1143844.1143891, section 3. Deviation: none.

    Args:
        vocabulary_size: Number of ids, the blank included, which is 0.
        name: Name of the output and of the target.
        space: Id of the gap between two words; 0 if there is none.

    Raises:
        ValueError: If there is no symbol, or no such gap.
    """

    vocabulary_size: int
    name: str = "text"
    space: int = 0

    per_step: ClassVar[bool] = True

    def __post_init__(self):
        if self.vocabulary_size < 2 or not 0 <= self.space < self.vocabulary_size:
            raise ValueError(
                "Expected vocabulary_size >= 2 and 0 <= space < vocabulary_size. "
                f"Received: vocabulary_size={self.vocabulary_size}, "
                f"space={self.space}."
            )

    @property
    def size(self):
        return self.vocabulary_size

    def head(self, x, name=None):
        """Maps `(batch, steps, width)` to logits `(batch, steps, vocabulary_size)`.

        Args:
            x: Features of every step, with their Keras mask or none.
            name: Name of the output; None for the name of the task.

        Returns:
            `(batch, steps, vocabulary_size)` float32, zeros where there is padding.
        """
        name = output_name(name or self.name)
        # The same for all symbols, so that it changes no probability; and no step that
        # is heard has logits of zeros, which are padding.
        ones = keras.initializers.Ones()
        return MaskedDense(
            self.vocabulary_size, bias_initializer=ones, dtype="float32", name=name
        )(x)

    def output(self, x, name=None):
        """Logits `(batch, steps, vocabulary_size)` as they are, in float32."""
        name = output_name(name or self.name)
        return keras.layers.Identity(dtype="float32", name=name)(x)

    def loss(self):
        """CTC, summed over the symbols of a text; the target is ids, 0 = padding."""
        return CTC()

    def metrics(self):
        """Character error rate of the most probable symbol of every step."""
        return [CharacterErrorRate()]

    def chance(self, truth):
        """The loss of a model that knows the number of symbols and their shares.

        Args:
            truth: Ids, `(rows, length)`, 0 = padding.
        """
        symbols = np.asarray(truth)[truth > 0]
        share = np.bincount(symbols, minlength=self.vocabulary_size)
        share = share / max(len(symbols), 1)
        entropy = -np.sum(share * np.log(np.maximum(share, 1e-12)))  # of one symbol
        return float(entropy * len(symbols) / len(truth))

    def to_texts(self, ids):
        """Lists of ids as texts of one character for each, for error rates.

        Args:
            ids: Lists or arrays of ids, 0 = padding.
        """
        return [
            "".join(" " if i == self.space else chr(_LETTERS + i) for i in row if i > 0)
            for row in ids
        ]

    def feed(self, inputs, targets):
        """Inputs and targets as they are: nothing is added in training."""
        return inputs, targets


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.transcription")
class MaskedDense(keras.layers.Dense):
    """A dense layer whose output is zeros where its input is padding.

    Args:
        As for `keras.layers.Dense`.

    Call arguments:
        inputs: `(batch, steps, width)`, with its Keras mask or none.

    Returns:
        `(batch, steps, units)`.
    """

    def call(self, inputs, training=None, mask=None):
        return zero_padding(super().call(inputs, training=training), mask)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # Keras would weigh the loss of every step by it


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.transcription")
class CTC(keras.losses.Loss):
    """Minus the log probability of a text: the sum over its alignments.

    `keras.losses.CTC` takes every row at its padded length. This one takes the steps
    and the symbols that are not padding. A text that has no alignment, since there are
    fewer steps than symbols and blanks between equal ones, has loss 0 and no gradient;
    `num_needed_steps` finds these. The sum and its gradient are those of `tasks.ctc`.

    Args:
        name: Name of the loss.
        reduction: Over the rows, as for `keras.losses.Loss`.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, length)` ids, 0 = padding.
        y_pred: `(batch, steps, vocabulary_size)` logits, steps of zeros = padding.
    """

    def __init__(self, name="ctc", reduction="sum_over_batch_size", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        ids = ops.cast(y_true, "int32")
        steps, needed = num_steps(y_pred), num_needed_steps(ids)
        possible = steps >= ops.maximum(needed, 1)
        lengths = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
        # An impossible text has no finite gradient: an empty one takes its place.
        loss = ctc_loss(
            ids,
            ops.cast(y_pred, "float32"),
            ops.where(possible, lengths, 0),
            ops.where(possible, steps, 1),
        )
        return ops.where(possible, loss, ops.zeros_like(loss))


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.transcription")
class CharacterErrorRate(keras.metrics.Metric):
    """Insertions, deletions and substitutions, by the number of symbols.

    The text is that of the most probable symbol of every step.

    Args:
        name: Name of the metric.
        dtype: As for `keras.metrics.Metric`.
    """

    def __init__(self, name="cer", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.errors = self.add_weight((), "zeros", name="errors")
        self.symbols = self.add_weight((), "zeros", name="symbols")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ids = ops.cast(y_true, "int32")
        errors = ops.cast(count_errors(ids, y_pred), "float32")  # (batch,)
        lengths = ops.sum(ops.cast(ids > 0, "float32"), axis=1)
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
            errors, lengths = errors * weights, lengths * weights
        self.errors.assign_add(ops.cast(ops.sum(errors), self.errors.dtype))
        self.symbols.assign_add(ops.cast(ops.sum(lengths), self.symbols.dtype))

    def result(self):
        return self.errors / ops.maximum(self.symbols, 1.0)


def num_steps(logits: Any) -> Any:
    """Steps of each row without its padding, `(batch,)` int32.

    Args:
        logits: `(batch, steps, vocabulary_size)`, steps of zeros = padding.
    """
    return ops.sum(ops.cast(nonzero_steps(logits), "int32"), axis=1)


def num_needed_steps(ids: Any) -> Any:
    """The fewest steps that a text has an alignment with, `(batch,)` int32.

    Args:
        ids: `(batch, length)`, 0 = padding. Equal ids in a row need a blank between.
    """
    ids = ops.convert_to_tensor(ids)
    repeats = ops.logical_and(ids[:, 1:] == ids[:, :-1], ids[:, 1:] > 0)
    needed = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
    return needed + ops.sum(ops.cast(repeats, "int32"), axis=1)


def best_path(logits: Any) -> list[list[int]]:
    """The most probable symbol of every step, without repetitions and blanks.

    Args:
        logits: `(batch, steps, vocabulary_size)`, steps of zeros = padding.

    Returns:
        A list of ids for each row.
    """
    logits = np.asarray(logits)
    best = np.where((logits != 0).any(axis=-1), logits.argmax(axis=-1), 0)
    written = np.diff(best, axis=1, prepend=0) != 0
    rows = zip(best, written & (best > 0), strict=True)
    return [row[keep].tolist() for row, keep in rows]


def count_errors(ids: Any, logits: Any) -> Any:
    """Edit distance of texts to those of the most probable symbols.

    Args:
        ids: `(batch, length)` int32, 0 = padding.
        logits: `(batch, steps, vocabulary_size)`, steps of zeros = padding.

    Returns:
        `(batch,)` int32.
    """
    best = ops.cast(ops.argmax(logits, axis=-1), "int32")
    best = ops.where(nonzero_steps(logits), best, 0)  # (batch, steps)
    before = ops.pad(best[:, :-1], [[0, 0], [1, 0]])
    written = ops.where(best == before, 0, best)  # repetitions are merged
    length = ops.shape(ids)[1]
    index = ops.arange(length + 1)
    # Symbols of the text that are left out between two positions of it; else infinite.
    left_out = index[:, None] - index[None]  # (length + 1, length + 1)
    left_out = ops.where(left_out < 0, 1 << 20, left_out)
    # distance[:, j] is that of what is written so far to the first j symbols.
    distance = ops.zeros_like(best[:, :1]) + index[None]

    def write(t, distance):
        symbol = ops.take(written, t, axis=1)[:, None]  # (batch, 1)
        replaced = distance[:, :-1] + ops.cast(ids != symbol, "int32")
        replaced = ops.pad(replaced, [[0, 0], [1, 0]], constant_values=1 << 20)
        found = ops.minimum(distance + 1, replaced)
        found = ops.min(found[:, None] + left_out, axis=-1)
        return ops.where(symbol > 0, found, distance)

    distance = ops.fori_loop(0, ops.shape(written)[1], write, distance)
    lengths = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
    return ops.take_along_axis(distance, lengths[:, None], axis=1)[:, 0]
