"""A `tf.data.Dataset` of one's own, or one for each split."""

from data_pipelines.formats import kinds
from data_pipelines.quarantine import Broken
from data_pipelines.sources.table import in_memory
from data_pipelines.tables.table import select


def load(datasets):
    """Raw rows by split, as every source gives them.

    Args:
        datasets: A `tf.data.Dataset`, or `{split: tf.data.Dataset}`, of `({name: raw
            scalar}, {name: target})` or of `{name: raw scalar}` alone: strings, the
            bytes of files, numbers; not batched.

    Returns:
        `{split: tf.data.Dataset}` of `({name: raw scalar}, {name: target})`.

    Raises:
        ValueError: If the elements are something else.
    """
    by_split = datasets if isinstance(datasets, dict) else {"train": datasets}
    loaded = {}
    for split, dataset in by_split.items():
        spec = dataset.element_spec
        if isinstance(spec, dict):
            dataset = dataset.map(lambda inputs: (inputs, {}))
            spec = (spec, {})
        known = (
            isinstance(spec, tuple)
            and len(spec) == 2
            and all(isinstance(part, dict) for part in spec)
        )
        if not known or any(s.shape.rank != 0 for part in spec for s in part.values()):
            raise ValueError(
                "The elements of a dataset are ({name: scalar}, {name: scalar}), "
                "inputs and targets, one row each: `unbatch()` batches first. "
                f"Received, in {split!r}: {dataset.element_spec}."
            )
        loaded[split] = dataset
    return loaded


def open_table(datasets, *, target=None, columns=None, fractions=None, seed=0):
    """The rows of a dataset as a table in memory, for `decode`, `Stream` and `pack`.

    Args:
        datasets: As for `load`.
        target: Name of the target, among inputs or targets.
        columns: Modality by column name, where the guess will not do.
        fractions: Share of rows by split name, where there is one dataset.
        seed: Seed of that draw.

    Returns:
        A `data_pipelines.tables.table.Table`. A row with a text that is not valid
        UTF-8 is `broken`.

    Raises:
        ValueError: As `load` does, if there is no row, or as for a table.
    """
    import polars as pl

    values, splits = {}, []
    for split, rows in load(datasets).items():
        for inputs, targets in rows.as_numpy_iterator():
            for name, value in {**inputs, **targets}.items():
                values.setdefault(name, []).append(value)
            splits.append(split)
    if not splits:
        raise ValueError("There is no row in the dataset.")
    broken, made = [], {}
    for name, cells in values.items():
        made[name] = _texts(name, cells, broken) if _is_text(cells) else cells
    frame = pl.DataFrame(made)
    if isinstance(datasets, dict):
        frame = frame.with_columns(split=pl.Series(splits))
    return select(
        in_memory("dataset", frame, broken),
        target=target,
        columns=columns,
        fractions=fractions,
        seed=seed,
    )


def _is_text(cells):
    """Strings, and not the bytes of files."""
    some = next((cell for cell in cells if cell), b"")
    return isinstance(some, bytes) and kinds.kind_of(some[:256]) is None


def _texts(name, cells, broken):
    texts = []
    for row, cell in enumerate(cells, start=1):
        try:
            texts.append(cell.decode("utf-8") or None)
        except UnicodeDecodeError:
            texts.append(None)
            broken.append(Broken(row, name, "the text is not valid UTF-8"))
    return texts
