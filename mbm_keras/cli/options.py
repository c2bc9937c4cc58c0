"""Options that several commands share."""

import importlib.metadata
from typing import Annotated

import typer

from data_pipelines.ray_workers import Ray
from data_pipelines.tables.modality import MODALITIES
from mbm_keras.auto.targets import KINDS

INPUTS = (
    "A CSV, JSON, Parquet or Excel file, a folder of shards that `mbm pack` wrote, or "
    "WebDataset tars (a file, a folder, or a pattern such as `train-{000..011}.tar`)."
)

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object.")
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="The column to learn; or use --associate. Repeat it for several columns "
        "of numbers, which one model learns at once.",
    ),
]
Tags = Annotated[
    str | None,
    typer.Option(
        help="A column with a tag for each word of the text, such as B-city, to learn "
        "too. Tags alone are a --target."
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        help="A column whose values never cross splits, such as a speaker; or "
        "near_duplicates for texts, pictures and sounds that are nearly the same."
    ),
]
Associate = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="Instead of a target: columns whose values belong together, such as "
        "caption,photo.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=MODALITY",
        help=f"What a column holds: {', '.join(MODALITIES)}. Repeat it per column.",
    ),
]
Towers = Annotated[
    list[str] | None,
    typer.Option(
        "--tower",
        metavar="COLUMN=FOLDER",
        help="A published encoder for a column of text, images or sounds: a local "
        "folder in the layout of Hugging Face. Repeat it per column.",
    ),
]
Tune = Annotated[
    str | None,
    typer.Option(
        help="What learns of the encoders of --tower. frozen: nothing, each value is "
        "encoded once. adapters: low-rank adapters. full: all. Default: frozen."
    ),
]
AllowOutside = Annotated[
    bool, typer.Option(help="Follow paths that leave the table's folder.")
]
MaxBroken = Annotated[
    float,
    typer.Option(help="Largest share of broken rows to continue with.", min=0, max=1),
]
Stream = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Keep decoded rows on disk, or in memory. Default: by their size.",
    ),
]
Workers = Annotated[int, typer.Option(help="Processes that work at once.", min=1)]
Engine = Annotated[
    str,
    typer.Option(
        help="What shares the workers: processes of this machine, or ray, a cluster. "
        "Of Ray every table, run and result is to be seen by all nodes."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Head of the Ray cluster. Default: a Ray of this machine alone.",
    ),
]
PartRows = Annotated[
    int | None,
    typer.Option(
        help="Rows of a part, which is kept if the command is interrupted. "
        "Default: 20,000.",
        min=1,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(KINDS)}. Default: inferred from the target."),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


def modalities(columns):
    """`["caption=text"]` to `{"caption": "text"}`.

    Raises:
        ValueError: If an item has no `=`.
    """
    for item in columns or ():
        if "=" not in item:
            raise ValueError(f"Expected --column NAME=MODALITY. Received: {item!r}.")
    return dict(item.rsplit("=", 1) for item in columns or ())


def engine(workers, name, address):
    """What `--workers`, `--engine` and `--address` stand for: a number or a `Ray`.

    Raises:
        ValueError: If there is no such engine, Ray is not installed, or an address is
            given for processes.
    """
    if name == "ray":
        return Ray(workers, address)
    if name != "processes" or address is not None:
        raise ValueError(
            f"Expected --engine processes, or --engine ray with or without --address. "
            f"Received: engine={name!r}, address={address!r}."
        )
    return workers


def folders(towers):
    """`["photo=vit-base"]` to `{"photo": "vit-base"}`.

    Raises:
        ValueError: If an item has no `=`.
    """
    for item in towers or ():
        if "=" not in item:
            raise ValueError(f"Expected --tower COLUMN=FOLDER. Received: {item!r}.")
    return dict(item.split("=", 1) for item in towers or ()) or None


def names(text):
    """`"caption,photo"` to `["caption", "photo"]`, None to None."""
    return None if text is None else [name.strip() for name in text.split(",")]


def show_version(wanted):
    """Prints the version and ends, where it is asked for."""
    if wanted:
        typer.echo(f"mbm {importlib.metadata.version('mbm-keras')}")
        raise typer.Exit
