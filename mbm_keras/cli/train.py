"""`mbm train`: a table to a trained model and its report."""

import functools
import inspect
import shutil
from typing import Annotated

import typer

from mbm_keras.cli import common
from mbm_keras.runs import run_folder

# Known here too, so that a wrong name is told before Keras is imported.
FUSIONS = (
    "attention", "block", "bottleneck", "compact_bilinear", "concatenation",
    "cross_attention", "cross_modal", "film", "gated", "low_rank",
    "matrix_interaction", "maximum", "mean", "mfb", "mfh", "mixture_of_experts",
    "mlb", "mutan", "non_local", "perceiver", "perceiver_io", "product",
    "product_of_experts", "scalar_interaction", "squeeze_excitation", "sum",
    "tensor", "transformer", "tucker", "vector_interaction",
)  # fmt: skip
TASKS = ("label", "labels", "number")


def train(
    table: Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file.")],
    target: Annotated[str, typer.Option(help="The column to learn.")],
    out: Annotated[str, typer.Option(help="Folder for the run.")] = "run",
    valid: Annotated[
        str | None, typer.Option(help="A second table, to stop training by.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="A column whose values never cross splits: a speaker."),
    ] = None,
    column: common.Columns = None,
    task: Annotated[
        str | None, typer.Option(help="label, labels or number; else it is found out.")
    ] = None,
    fusion: Annotated[
        str,
        typer.Option(help="film, gated, low_rank, sum ...; a wrong name lists all."),
    ] = "film",
    epochs: Annotated[
        int | None, typer.Option(help="Passes of the last stage, all towers together.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows per step.")] = 64,
    learning_rate: Annotated[
        float, typer.Option(help="Peak step size of Adam.")
    ] = 4e-3,
    augment: Annotated[
        bool, typer.Option(help="Change pictures and sounds a little every epoch.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    stream: common.Streamed = None,
    max_broken: common.MaxBroken = 0.05,
    allow_outside: common.AllowOutside = False,
    json: common.Json = False,
):
    """Train towers, fusion and head on a table; write a run folder with a report."""
    arguments = {k: v for k, v in locals().items() if k != "json"}
    with common.reporting(json) as result:
        result(*trained(**arguments))


def defaults(**chosen):
    """The arguments of `trained`, those not chosen as the command has them."""
    parameters = inspect.signature(train).parameters
    everything = {name: parameter.default for name, parameter in parameters.items()}
    del everything["json"]
    return {**everything, **chosen}


def trained(
    *, table, target, out, valid, group, column, task, fusion, epochs, batch_size,
    learning_rate, augment, seed, stream, max_broken, allow_outside
):  # fmt: skip
    """What `mbm train` does: the result, and the lines a person reads."""
    arguments = dict(locals())
    import numpy as np

    from data_pipelines import quarantine
    from data_pipelines import sources
    from data_pipelines.tables import splits

    clock = common.Clock()
    run_folder.refuse_full(out, arguments)
    if fusion not in FUSIONS:
        raise ValueError(f"--fusion is one of {list(FUSIONS)}. Received: {fusion!r}.")
    if task not in (None, *TASKS):
        raise ValueError(f"--task is one of {list(TASKS)}. Received: {task!r}.")

    # The table, what its columns hold, and who is in which split.
    options = dict(target=target, seed=seed, allow_outside=allow_outside)
    rows = sources.open_table(
        table,
        columns=common.modalities(column),
        group=group,
        fractions=None if valid else {"valid": 0.15},
        **options,
    )
    if not rows.columns:
        raise ValueError(f"`{table}` has no input beside {target!r}: {rows.ignored}.")
    tables = {"rows": rows}
    if valid:
        tables["valid"] = sources.open_table(
            valid, columns=rows.columns, inputs=list(rows.columns), **options
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
    task, meaning = run_folder.task_of(targets), targets[target]
    model = late_fusion.build(
        inputs=features.inputs(),
        task=task,
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
        counts = confusion(predicted[task.name], truth[task.name], task.size)

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
