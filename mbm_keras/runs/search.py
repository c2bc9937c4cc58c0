"""Search an index with a text, or with a file."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.runs.index import Index
from mbm_keras.runs.index import check_associates
from mbm_keras.runs.index import open_index
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.nearest import nearest
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow


def search(
    index: str | os.PathLike,
    queries: str | Sequence[str],
    *,
    k: int = 10,
    by: str | None = None,
    run: Run | str | os.PathLike | None = None,
    engine: str = "exact",
    page: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """The items of an index that match each query best.

    Args:
        index: Folder of the index, as `index` wrote it.
        queries: A query or several: a text, or the path of a file of a modality of the
            run.
        k: How many items to find for each.
        by: Name of the input that the queries are values of; None to infer it.
        run: The run whose model embeds the queries; None for the one that is named in
            the index.
        engine: As for `mbm_keras.runs.nearest.nearest`.
        page: An HTML file to write with the items of each query; None for none.

    Returns:
        A dict: `index`; `queries`, a list of `query`, `by` and `found`, a list of
        `item` and `score`, the cosine of the two; `notes`; `page`; `seconds` and
        `cpu_seconds`.

    Raises:
        ModuleNotFoundError: If the engine is not installed.
        OSError: If the page cannot be written.
        ValueError: If the folder is not an index, is empty or of another model; if no
            input takes a query, it cannot be read, or holds no word that the model
            knows.
    """
    clock = Clock()
    opened = open_index(index)
    texts = [queries] if isinstance(queries, str) else list(queries)
    if not texts:
        raise ValueError("Expected a query. Received: none.")
    run = _open_run(opened, run)
    load_tensorflow()
    embedded, notes = [], []
    for text in texts:
        name = _input_of(run, opened, text, by)
        vector, note = _embed(run, name, text)
        embedded.append((name, vector))
        notes += [note] if note else []
    vectors = np.concatenate([vector for _, vector in embedded])
    positions, scores = nearest(vectors, opened.vectors, k, engine=engine)
    results = [
        {
            "query": text,
            "by": name,
            "found": [
                {"item": opened.items[i], "score": round(float(s), 4)}
                for i, s in zip(row, values, strict=True)
            ],
        }
        for text, (name, _), row, values in zip(
            texts, embedded, positions, scores, strict=True
        )
    ]
    if page is not None:
        _write_page(page, opened, run, results)
    return {
        "index": str(index),
        "queries": results,
        "notes": notes,
        "page": None if page is None else str(page),
        **clock.seconds(),
    }


def _open_run(index: Index, run):
    """The run that embeds queries, which must be the one that embedded the items."""
    if run is None and not os.path.isdir(index.run):
        raise ValueError(
            f"The index `{index.folder}` was made by the run `{index.run}`, which is "
            "not there. Name its folder with `--run`."
        )
    run = index.run if run is None else run
    run = open_run(run)
    check_associates(run)
    if run.checksum != index.model:
        raise ValueError(
            f"The index `{index.folder}` was made by another model than that of "
            f"`{run.folder}`. Create it again with `mbm index`."
        )
    return run


def _input_of(run, index, query, by):
    """Name of the input that a query is a value of."""
    from data_pipelines.formats.kinds import SUFFIXES

    columns = run.saved.columns
    if by is not None:
        if by not in columns:
            raise ValueError(
                f"Expected an input of the run, one of {list(columns)}. Received: "
                f"by={by!r}."
            )
        return by
    suffix = os.path.splitext(query)[1].lower()
    kind = next((m for m, known in SUFFIXES.items() if suffix in known), None)
    modality = kind if kind is not None and os.path.isfile(query) else "text"
    fitting = [name for name, held in columns.items() if held == modality]
    others = [name for name in fitting if name != index.input] or fitting
    if len(others) != 1:
        what = "a text" if modality == "text" else f"a file of the modality {modality}"
        advice = "" if not others else " Choose one with `--by`."
        raise ValueError(
            f"Expected a query that is a value of an input of the run: "
            f"{', '.join(f'{n} ({m})' for n, m in columns.items())}. Received: "
            f"{query!r}, {what}.{advice}"
        )
    return others[0]


def _embed(run, name, query):
    """The embedding `(1, width)` of a query, and what to know about it."""
    import tensorflow as tf

    features = run.features
    key, preprocessor = features.keys[name], features.by_name[name]
    value: Any = query
    if run.saved.columns[name] != "text":
        if not os.path.isfile(query):
            raise ValueError(
                f"Expected the path of a file for the input {name!r}. Received: "
                f"{query!r}."
            )
        value = _read(run, name, query)
    arrays, status = features.decode_input(key, tf.constant([value]))
    if features.statuses[int(status[0])] not in ("ok", "partial"):
        why = preprocessor.explain(value) if value else "it is empty"
        raise ValueError(f"The query {query!r} cannot be read: {why}.")
    note = check_words(preprocessor, query)
    return np.asarray(run.encoders[key](arrays)), note


def _read(run, name, path):
    """The bytes of a file, in the form that the preprocessor takes."""
    from data_pipelines import sources

    table = sources.open_table(
        {name: [os.path.abspath(path)]},
        columns={name: run.saved.columns[name]},
        inputs=[name],
        allow_outside=True,
    )
    cells, broken = table.read_cells(
        name, list(table.raw(name)), run.features.by_name[name]
    )
    if broken:
        raise ValueError(
            f"The query {path!r} cannot be read: {next(iter(broken.values()))}."
        )
    return cells[0]


def check_words(preprocessor, query):
    """A note about the words of a query that the model does not know.

    Raises:
        ValueError: If it knows none of them.
    """
    import tensorflow as tf

    from mbm_keras.preprocessing import WordIds
    from mbm_keras.preprocessing import words

    if not isinstance(preprocessor, WordIds):
        return ""
    found = [word.decode() for word in words.split(tf.constant([query]))[0].numpy()]
    known = set(preprocessor.vocabulary)
    unknown = [word for word in found if word not in known]
    if len(unknown) == len(found):
        raise ValueError(
            f"Expected a query with a word that training had. Received: {query!r}, of "
            "which the model knows none."
        )
    if not unknown:
        return ""
    return f"{query!r}: the model does not know {', '.join(map(repr, unknown))}"


def _write_page(path, index, run, results):
    from mbm_keras import evaluation

    shown = [
        evaluation.Query(
            one["query"],
            run.saved.columns[one["by"]],
            [(item["item"], item["score"]) for item in one["found"]],
        )
        for one in results
    ]
    evaluation.write_gallery(path, shown, modality=index.modality, root=index.root)
