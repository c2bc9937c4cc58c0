"""Generated examples as a dataset for each split."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import tensorflow as tf


def load_splits(
    examples: Iterable[Mapping[str, Any]], inputs: Sequence[str], targets: Sequence[str]
) -> dict[str, "tf.data.Dataset"]:
    """Groups examples by their split.

    Args:
        examples: Dicts with `split`, and a value for each input and target.
        inputs: Names of the inputs.
        targets: Names of the targets.

    Returns:
        `{split: tf.data.Dataset}` of `(inputs, targets)`, dicts by name. Splits without
        an example are left out.
    """
    import tensorflow as tf

    by_split: dict[str, list[Mapping[str, Any]]] = {}
    for example in examples:
        by_split.setdefault(example["split"], []).append(example)
    return {
        split: tf.data.Dataset.from_tensor_slices(
            (_columns(part, inputs), _columns(part, targets))
        )
        for split, part in by_split.items()
    }


def _columns(part, names):
    return {name: [example[name] for example in part] for name in names}
