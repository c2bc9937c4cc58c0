"""Labels for the values of one input, from the texts of another."""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.runs.embed_parts import decode
from mbm_keras.runs.embed_parts import show
from mbm_keras.runs.embed_parts import write_vectors
from mbm_keras.runs.index import check_associates
from mbm_keras.runs.index import open_items
from mbm_keras.runs.runtime import load_tensorflow


def zero_shot(
    run: Any,
    items: Any,
    labels: Sequence[str],
    *,
    templates: Sequence[str] | None = None,
    name: str | None = None,
    by: str | None = None,
    allow_outside: bool = False,
) -> Any:
    """Classifies files or values by names of classes that training need not have had.

    Args:
        run: A `Run` of an association with a text.
        items: What `mbm_keras.index` takes: a folder of files, or a table.
        labels: Names of the classes.
        templates: Texts with `{}` where the name is; None for those of
            `mbm_keras.evaluation.zero_shot`.
        name: Name of the input that the items are values of; None where only one fits.
        by: Name of the input of texts; None where there is one.
        allow_outside: True to follow paths that leave the folder of the items.

    Returns:
        A polars frame of the items that can be read: `row`, `item`, `label`,
        `probability`, and `probability_<label>` for each.

    Raises:
        ValueError: If the run has a target or no text, no item fits, or a label has no
            word that training had.
    """
    import polars as pl

    check_associates(run)
    load_tensorflow()
    from mbm_keras import evaluation
    from mbm_keras.layers import UnitEmbeddings

    by = _text_input(run, by)
    table, _ = open_items(run, items, name, allow_outside)
    (column,) = table.columns
    with tempfile.TemporaryDirectory(prefix="mbm-zero-shot-") as folder:
        samples, _ = decode(run, table, pathlib.Path(folder))
        path = pathlib.Path(folder) / "vectors.npy"
        write_vectors(run, column, samples, path)
        vectors = np.load(path)
    named = evaluation.label_vectors(
        lambda texts: _embed_texts(run, by, texts),
        labels,
        *([] if templates is None else [templates]),
    )
    (layer,) = (x for x in run.model.layers if isinstance(x, UnitEmbeddings))
    shares = evaluation.zero_shot_probabilities(
        vectors, named, kind=run.task.kind, **layer.values()
    )
    best = shares.argmax(axis=1)
    shown = table.frame[column].gather(table.positions(samples.ids))
    return pl.DataFrame(
        {
            "row": samples.ids,
            "item": [show(x) for x in shown.to_list()],
            "label": [list(labels)[i] for i in best],
            "probability": shares.max(axis=1),
            **{f"probability_{x}": shares[:, i] for i, x in enumerate(labels)},
        }
    )


def _text_input(run, by):
    texts = [name for name, held in run.saved.columns.items() if held == "text"]
    if by is None and len(texts) == 1:
        return texts[0]
    if by not in texts:
        raise ValueError(
            f"Expected an input of texts in `by`, one of {texts}. Received: by={by!r}."
        )
    return by


def _embed_texts(run, name, texts):
    import tensorflow as tf

    from mbm_keras.runs.search import check_words

    for text in texts:
        check_words(run.features.by_name[name], text)
    key = run.features.keys[name]
    arrays, _ = run.features.decode_input(key, tf.constant(texts))
    return run.encoders[key].predict_on_batch(np.asarray(arrays))
