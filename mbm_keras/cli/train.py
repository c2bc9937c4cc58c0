"""`mbm train`: a table to a trained model and its report."""

from typing import Annotated

import typer

from mbm_keras import registry
from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.opening import DEFAULT
from mbm_keras.cli.opening import Opening
from mbm_keras.cli.opening import add_opening
from mbm_keras.cli.reporting import reporting

_MODELS = ", ".join(registry.names("mbm_keras.models"))
_FUSIONS = ", ".join(registry.names("mbm_keras.fusion"))


@add_opening
def train(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    target: options.Targets = None,
    tags: options.Tags = None,
    out: Annotated[str, typer.Option(help="Folder for the run.")] = "run",
    valid: Annotated[
        str | None, typer.Option(help="A second table, for validation.")
    ] = None,
    group: options.Group = None,
    associate: options.Associate = None,
    column: options.Columns = None,
    tower: options.Towers = None,
    tune: options.Tune = None,
    task: options.Task = None,
    model: Annotated[
        str | None, typer.Option(help=f"Model. Default: late_fusion. {_MODELS}.")
    ] = None,
    fusion: Annotated[
        str | None, typer.Option(help=f"Fusion layer. Default: film. {_FUSIONS}.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Most epochs of the last stage, all towers together.", min=1),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows per step. Default: 64.", min=1)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak step size of Adam. Default: 0.004.")
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Small random changes of images and sounds in training. Default: yes.",
        ),
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(help="balanced: rare labels count as much as frequent ones."),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="focal: rests on the rows that are predicted badly. clip, siglip: "
            "with --associate. Default there: clip."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Cross-validation with this many folds, before the training.", min=2
        ),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(
            help="joint: towers, fusion and heads at once. standard: each tower by "
            "itself, the fusion, then everything. Default: joint."
        ),
    ] = None,
    members: Annotated[
        int | None,
        typer.Option(
            help="Number of models whose answers are averaged. Default: by the rows.",
            min=1,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="The most that training may take; the best weights so far are kept."
        ),
    ] = None,
    seed: options.Seed = 0,
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 0.05,
    opening: Opening = DEFAULT,
    baselines: Annotated[
        bool, typer.Option(help="Compare with plain pipelines of scikit-learn.")
    ] = True,
    devices: Annotated[
        str | None,
        typer.Option(
            help="all: train on all devices of this machine. Needs KERAS_BACKEND=jax."
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where process 0 listens, for a training over several processes: the "
            "same command in each, with its own --process. Needs KERAS_BACKEND=jax.",
        ),
    ] = None,
    processes: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 1,
    process: Annotated[
        int, typer.Option(help="Number of this process, from 0.", min=0)
    ] = 0,
    json: options.Json = False,
):
    """Train towers, fusion and head on a table; write a run folder with a report."""
    from mbm_keras import runs

    with reporting(json) as result:
        run = runs.train(
            table,
            target or None,
            tags=tags,
            out=out,
            valid=valid,
            associate=options.names(associate),
            columns=options.modalities(column),
            group=group,
            task=task,
            model=model,
            fusion=fusion,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            augment=augment,
            class_weight=class_weight,
            loss=loss,
            folds=folds,
            stages=stages,
            members=members,
            minutes=minutes,
            towers=options.folders(tower),
            tune=tune,
            seed=seed,
            stream=stream,
            max_broken=max_broken,
            **opening,
            baselines=baselines,
            devices=devices,
            coordinator=coordinator,
            processes=processes,
            process=process,
        )
        result(run.metrics, lines.train_lines(run.metrics))
