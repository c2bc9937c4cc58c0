"""Many values embedded once, to search them; each file is of use on its own.

| file | what it holds |
|---|---|
| `vectors.npy` | `(items, width)` float32 of length 1, mapped into memory by a search |
| `items.parquet` | `item`: the path or the text of each |
| `quarantine.csv` | items that could not be read, and why |
| `index.json` | the run, a checksum of its model, the input; written last of all |
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from data_pipelines import files
from data_pipelines.ray_workers import Ray
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.embed_parts import embed_parts
from mbm_keras.runs.embed_parts import join_parts
from mbm_keras.runs.load import load as open_run
from mbm_keras.runs.rows import name_table
from mbm_keras.runs.run import Run
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow

LAST = "index.json"
_PART_ROWS = 20_000


@dataclasses.dataclass(frozen=True)
class Index:
    """An index that was opened.

    Args:
        folder: Its folder.
        run: Path of the run whose model embedded the items.
        model: Checksum of that model.
        input: Name of the input that the items are values of.
        modality: Its modality.
        root: Folder that paths of items are relative to; empty for texts.
        items: Path or text of each item.
        vectors: `(items, width)` float32, mapped into memory.
    """

    folder: pathlib.Path
    run: str
    model: str
    input: str
    modality: str
    root: str
    items: list[str]
    vectors: Any


def index(
    run: Run | str | os.PathLike,
    items: Any,
    out: str | os.PathLike = "index",
    *,
    name: str | None = None,
    workers: int | Ray = 1,
    part_rows: int | None = None,
    allow_outside: bool = False,
) -> dict[str, Any]:
    """Embeds files, or a column of a table, and writes them as an index.

    Many items are embedded in parts, which are in a folder next to the index,
    `<out>.parts`, until all are there. A call that was interrupted continues after the
    last finished part when it is repeated.

    Args:
        run: A `Run` of an association, or its folder.
        items: A folder, whose files of a kind are taken, those of folders in it too; or
            a table with a column called like an input, as `train` takes it.
        out: Folder of the index, new or empty.
        name: Name of the input that the items are values of; None where only one fits.
        workers: Processes that embed at once, 1 for this one; or a
            `data_pipelines.Ray`.
        part_rows: Items of a part; None for 20,000.
        allow_outside: True to follow paths that leave the folder of the items.

    Returns:
        A dict: `out`, `input`, `modality`, `items`, `skipped`, `width`, `seconds` and
        `cpu_seconds`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If the run has a target, no item fits or can be read, the folder is
            not empty, or the parts of an interrupted call are of other items, of
            another run or other options.
    """
    clock = Clock()
    run = open_run(run)
    check_associates(run)
    if not files.is_unfinished(out):
        run_folder.check_free(out)
    load_tensorflow()
    from data_pipelines import quarantine

    table, root = open_items(run, items, name, allow_outside)
    (column,) = table.columns
    out = pathlib.Path(out)
    about = {
        "run": os.path.abspath(run.folder),
        "model": run.checksum,
        "input": column,
        "modality": table.columns[column],
        "root": root,
    }
    done = embed_parts(
        run,
        table,
        out.with_name(f"{out.name}.parts"),
        part_rows=part_rows or _PART_ROWS,
        workers=workers,
    )
    with done as embedded:
        number = sum(part.items for part in embedded)
        broken = [item for part in embedded for item in part.broken]
        whole = len({*table.rows.tolist(), *(item.row for item in table.broken)})
        if number + quarantine.count(broken) != whole:
            raise ValueError(
                f"Expected the {whole} items in the parts of the index. Received: "
                f"{number} and {quarantine.count(broken)} that cannot be read."
            )
        if number:
            with files.fill(out, last=LAST) as new:
                about |= {"items": number, "width": join_parts(embedded, new)}
                if broken:
                    quarantine.write(new / "quarantine.csv", broken)
                text = json.dumps(about, indent=1, ensure_ascii=False)
                files.write(new / LAST, text)
    if not number:
        why = f", the first one: {broken[0].reason}" if broken else ""
        raise ValueError(
            f"Expected an item that can be read in `{name_table(items)}`. Received: "
            f"{len(broken)} that cannot{why}."
        )
    return {
        "out": str(out),
        "input": column,
        "modality": table.columns[column],
        "items": number,
        "skipped": quarantine.count(broken),
        "width": about["width"],
        **clock.seconds(),
    }


def open_index(folder: str | os.PathLike) -> Index:
    """Opens an index.

    Args:
        folder: What `index` wrote.

    Returns:
        An `Index`.

    Raises:
        ValueError: If it is not an index, is empty, or a file of it is damaged.
    """
    import polars as pl

    folder = pathlib.Path(folder)
    if not (folder / LAST).is_file():
        raise ValueError(f"`{folder}` is not an index. Create one with `mbm index`.")
    about = run_folder.read_json(folder / LAST)
    try:
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        items = pl.read_parquet(folder / "items.parquet")["item"].to_list()
        known = {n: str(about[n]) for n in ("run", "model", "input", "modality")}
        known["root"] = str(about.get("root", ""))
        if vectors.shape != (about["items"], about["width"]):
            raise ValueError(f"vectors of shape {vectors.shape}")
        if len(items) != len(vectors):
            raise ValueError(f"{len(items)} items and {len(vectors)} vectors")
    except (OSError, KeyError, ValueError, EOFError, pl.exceptions.PolarsError) as e:
        raise ValueError(
            f"The index `{folder}` is damaged or was edited: {e}. Create it again with "
            "`mbm index`."
        ) from None
    if not items:
        raise ValueError(f"The index `{folder}` is empty: there is nothing to find.")
    return Index(folder, items=items, vectors=vectors, **known)


def check_associates(run: Run) -> None:
    """Raises unless a run has embeddings.

    Raises:
        ValueError: If it has a target.
    """
    if not run.is_association:
        raise ValueError(
            "Expected a run of an association: `mbm train --associate`. Received: "
            f"`{run.folder}`, with the target {run.metrics.get('target')!r}."
        )


def open_items(run, items, name, allow_outside):
    """A table of one column, called like an input, and the folder of its paths."""
    from data_pipelines import sources

    columns = run.saved.columns
    if name is not None and name not in columns:
        raise ValueError(
            f"Expected an input of the run, one of {list(columns)}. Received: {name!r}."
        )
    is_path = isinstance(items, (str, os.PathLike))
    if is_path and os.path.isdir(items):
        name, paths = _find_files(columns, pathlib.Path(items), name)
        root = os.path.abspath(items)
        rows: Any = {name: paths}
    else:
        rows, root = items, ""
    whole = sources.open_table(
        rows,
        columns={name: columns[name]} if name else None,
        root=root or None,
        allow_outside=allow_outside,
        reading=run.saved.reading,
    )
    known = [n for n in columns if n in whole.frame.columns]
    if name is None and len(known) != 1:
        raise ValueError(
            f"Expected one column that is an input, of {list(columns)}; choose it with "
            f"`--input`. Received: {known or list(whole.frame.columns)}."
        )
    name = name or known[0]
    part = sources.open_table(
        rows,
        columns={name: columns[name]},
        inputs=[name],
        root=root or None,
        allow_outside=allow_outside,
        reading=run.saved.reading,
    )
    if not root and is_path and columns[name] != "text":
        root = os.path.abspath(os.path.dirname(items))
    return part, root


def _find_files(columns, folder, name):
    """The input that the files of a folder are values of, and their paths."""
    from data_pipelines.formats.kinds import SUFFIXES

    found = {}
    for column, modality in columns.items():
        if modality in SUFFIXES and name in (None, column):
            found[column] = sorted(
                str(path.relative_to(folder))
                for path in folder.rglob("*")
                if path.suffix.lower() in SUFFIXES[modality] and path.is_file()
            )
    some = {column: paths for column, paths in found.items() if paths}
    if len(some) != 1:
        wanted = {column: columns[column] for column in found} or columns
        raise ValueError(
            f"Expected files of one input of the run in `{folder}`: {wanted}. "
            f"Received: { {n: len(p) for n, p in some.items()} or 'none' }."
            + (" Choose one with `--input`." if len(some) > 1 else "")
        )
    return next(iter(some.items()))
