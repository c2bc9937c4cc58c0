"""F1 of entities while a model trains."""

import keras
import numpy as np
from keras import ops

from mbm_keras.sentence_answers import Layout
from mbm_keras.tag_scheme import kind_of


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.entity_score")
class EntityF1(keras.metrics.Metric):
    """F1 of the entities that tags mark, as `mbm_keras.metrics.entity_scores` has it.

    Tags are of one scheme, BIO or BIOES; a tag of none marks its word alone, and so
    does an id above the number of tags.

    Args:
        num_intents: Number of intents, 0 for none.
        tags: The tags in the order of their ids.
        name: Name of the metric.
        dtype: As for `keras.metrics.Metric`.

    Call arguments:
        y_true: `(batch, 1 + n)` integers, see `mbm_keras.tasks.Understanding`.
        y_pred: `(batch, size)`, see `mbm_keras.sentence_answers`.
        sample_weight: `(batch,)`, 0 for rows that do not count; None for none.
    """

    def __init__(self, num_intents=0, tags=(), name="entity_f1", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.layout, self.tags = Layout(num_intents, len(tags)), tuple(tags)
        kinds, labels = zip(*map(kind_of, self.tags), strict=True)
        unique = sorted(set(labels))
        # By id: 0 is padding, and one above all of them a tag that is not learned.
        self._label = np.array([-1, *map(unique.index, labels), -2], "int32")
        self._inside = np.array([False, *(kind != "O" for kind in kinds), True])
        self._opens = np.array([False, *(kind in ("B", "I") for kind in kinds), False])
        self._goes_on = np.array(
            [False, *(kind in ("I", "E") for kind in kinds), False]
        )
        self.counts = self.add_variable((3,), "zeros", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        given = ops.cast(self.layout.tags(ops.convert_to_tensor(y_pred)), "int32")
        gold = ops.cast(ops.convert_to_tensor(y_true)[:, 1:], "int32")
        gold = ops.concatenate([gold, ops.zeros_like(given)], axis=1)
        gold = ops.minimum(gold[:, : ops.shape(given)[1]], len(self.tags) + 1)
        given = ops.where(gold > 0, given, 0)
        if sample_weight is not None:
            counts = ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1)) > 0
            gold, given = ops.where(counts, gold, 0), ops.where(counts, given, 0)
        inside, first, goes_on, label = self._mark(gold)
        _, first_given, goes_on_given, label_given = self._mark(given)
        # An entity is wrong if a word of it is, or if it goes on where it should end.
        beyond = ops.logical_and(goes_on_given, ops.logical_not(goes_on))
        differs = ops.logical_or(first != first_given, goes_on != goes_on_given)
        differs = ops.logical_or(differs, label != label_given)
        differs = ops.logical_or(differs, _shift(beyond, -1))
        wrong = self._count_entities(ops.logical_and(inside, differs), first)
        total, found = (ops.sum(ops.cast(x, "float32")) for x in (first, first_given))
        self.counts.assign_add(ops.stack([total - wrong, found, total]))

    def _mark(self, tags):
        """Words of entities; where these begin, where they go on; labels."""
        inside = ops.take(self._inside, tags)
        label = ops.take(self._label, tags)
        goes_on = ops.take(self._goes_on, tags)
        before = _shift(ops.take(self._opens, tags), 1)
        same = label == _shift(label, 1)
        goes_on = ops.logical_and(goes_on, ops.logical_and(before, same))
        first = ops.logical_and(inside, ops.logical_not(goes_on))
        return inside, first, goes_on, label

    def _count_entities(self, marked, first):
        """How many entities have a marked word."""
        batch, steps = ops.shape(first)[0], ops.shape(first)[1]
        number = ops.cumsum(ops.cast(first, "int32"), axis=1)
        rows = ops.arange(batch, dtype="int32")[:, None] * (steps + 1)
        marks = ops.reshape(ops.cast(marked, "float32"), (-1,))
        found = ops.segment_sum(
            marks, ops.reshape(number + rows, (-1,)), batch * (steps + 1)
        )
        return ops.sum(ops.cast(found > 0, "float32"))

    def result(self):
        right, found, total = self.counts[0], self.counts[1], self.counts[2]
        return 2.0 * right / ops.maximum(found + total, 1.0)

    def get_config(self):
        return {
            "num_intents": self.layout.num_intents,
            "tags": self.tags,
            "name": self.name,
            "dtype": self.dtype,
        }


def _shift(x, steps):
    """The word before (1) or after (-1) in the place of each; zero at the end."""
    zero = ops.zeros_like(x[:, :1])
    if steps > 0:
        return ops.concatenate([zero, x[:, :-1]], axis=1)
    return ops.concatenate([x[:, 1:], zero], axis=1)
