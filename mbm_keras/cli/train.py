"""`mbm train`: a table to a trained model and its report."""

import functools
import inspect
import shutil
from typing import Annotated

import typer

from mbm_keras import registry
from mbm_keras.auto.targets import KINDS
from mbm_keras.cli import lines
from mbm_keras.cli import options
from mbm_keras.cli.reporting import reporting

_MODELS = ", ".join(registry.names("mbm_keras.models"))
_FUSIONS = ", ".join(registry.names("mbm_keras.fusion"))


def train(
    table: Annotated[str, typer.Argument(help=options.INPUTS)],
    target: Annotated[str, typer.Option(help="The column to learn.")],
    out: Annotated[str, typer.Option(help="Folder for the run.")] = "run",
    valid: Annotated[
        str | None, typer.Option(help="A second table, for validation.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="A column whose values never cross splits, such as a speaker."
        ),
    ] = None,
    column: options.Columns = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(KINDS)}. Default: inferred from the target."),
    ] = None,
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
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    stream: options.Stream = None,
    max_broken: options.MaxBroken = 0.05,
    allow_outside: options.AllowOutside = False,
    json: options.Json = False,
):
    """Train towers, fusion and head on a table; write a run folder with a report."""
    from mbm_keras import runs

    with reporting(json) as result:
        run = runs.train(
            table,
            target,
            out=out,
            valid=valid,
            columns=options.modalities(column),
            group=group,
            task=task,
            model=model,
            fusion=fusion,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            augment=augment,
            seed=seed,
            stream=stream,
            max_broken=max_broken,
            allow_outside=allow_outside,
        )
    broken = [item for part in tables.values() for item in part.broken]
    read = sum(part.rows_read for part in tables.values())
    quarantine.refuse_too_many(broken, read, max_broken, table)
    folder = run_folder.prepare(out, arguments)

    common.load_tensorflow()
    import keras

    from mbm_keras import evaluation
    from mbm_keras import fusion as fusions
    from mbm_keras.auto import choices
    from mbm_keras.metrics import confusion
    from mbm_keras.models import late_fusion
    from mbm_keras.tasks import task_for
    from mbm_keras.training import fit_stages

    # Vocabularies, statistics and labels: from the training split alone.
    keras.utils.set_random_seed(seed)
    learned = rows.take(rows.split == "train")
    targets = {target: choices.target_for(rows, task)}
    targets[target].adapt(
        [cell for cell in learned.targets() if cell not in (None, "")]
    )
    features = choices.features_for(learned)
    features.adapt({name: learned.raw(name) for name in choices.learned_columns(rows)})

    # Every part decoded once; what cannot be is set aside, with its reason.
    samples = {}
    for number, part in enumerate(tables.values()):
        cache = folder / "cache" / str(number)
        decoded, good, wrong = common.decoded(part, features, targets, cache, stream)
        broken += wrong
        split = part.split[good] if part is rows else np.full(len(decoded), "valid")
        for name in splits.count(split):
            samples[name] = decoded.take(split == name)
    quarantine.refuse_too_many(broken, read, max_broken, table)
    set_aside = common.quarantined(broken, folder / "quarantine.csv")
    choices.check_splits(samples, table)

    # The model, and the stages of its training.
    name, meaning, head = run_folder.task_of(targets)
    task = task_for(name, meaning)
    model = late_fusion.build(
        features=features.inputs(),
        num_outputs=meaning.num_outputs,
        head=head,
        output=name,
        towers=choices.towers_for(features),
        fusion=fusions.FUSIONS[fusion](choices.WIDTH, name="fusion"),
        width=choices.WIDTH,
        pool=True,
    )
    train_batches = functools.partial(
        samples["train"].batches,
        batch_size,
        shuffle=True,
        seed=seed,
        augment=choices.augmentation(features) if augment else None,
    )
    valid_batches = functools.partial(samples["valid"].batches, 256)
    chance = task.chance(samples["valid"].targets[target])
    histories = fit_stages(
        model,
        functools.partial(choices.stages, model, epochs, learning_rate, chance),
        train_batches,
        valid_batches,
        task=task,
        folder=folder / "stages",
        # Steps of small towers take no longer than the return to Python.
        steps_per_execution=8,
        expected=choices.expected_stages(model, epochs, learning_rate),
    )

    # What came out of it.
    outputs = {k: evaluation.predict(model, v.batches(256)) for k, v in samples.items()}
    figures = {
        split: {
            "rows": len(samples[split]),
            **evaluation.score(*outputs[split], task=task),
        }
        for split in outputs
    }
    last = "test" if "test" in samples else "valid"
    subsets = evaluation.subsets(model, samples[last].batches(256), task=task)
    metric = task.metrics()[0].name
    counts = None
    if meaning.task == "classification":
        predicted, truth = outputs[last]
        counts = confusion(predicted[name], truth[name], meaning.num_outputs)

    run_folder.save(
        folder,
        model=model,
        features=features,
        targets=targets,
        table=rows,
        sample=choices.sample(
            rows.take(rows.split == "valid") if not valid else rows, features
        ),
    )
    summary = {
        "run": str(folder),
        "target": target,
        "task": meaning.task,
        "fusion": fusion,
        "inputs": {x.name: x.modality for x in features.inputs()},
        "parameters": model.count_params(),
        "rows": read,
        "quarantined": set_aside,
        "splits": figures,
        "stages": {k: choices.best_of(v) for k, v in histories.items()},
        "subsets": subsets,
        "seed": seed,
        **clock.seconds(),
    }
    evaluation.write_report(
        folder / "report.html",
        evaluation.ReportData(
            title=f"{target} from {', '.join(rows.columns)}",
            facts=choices.facts(summary, table),
            histories=histories,
            splits=figures,
            metric=metric,
            subsets=subsets,
            confusion=counts,
            labels=() if counts is None else meaning.vocabulary,
        ),
    )
    shutil.rmtree(folder / "cache", ignore_errors=True)
    run_folder.finish(folder, histories, summary)
    return summary, choices.lines(summary, metric)
