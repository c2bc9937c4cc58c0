"""The models of a run: one, or several whose answers are averaged."""

import collections
import contextlib
import dataclasses
import functools
import itertools
import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbm_keras.runs import processes

_BATCH = 256  # of validation
_SHARED = 0.5  # of the test rows
_COUNTS = 0.02  # with a smaller share of the answer an input counts for nothing


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What the models of a run became.

    Args:
        model: The model that answers: the only one, or the mean of several.
        members: The single models.
        parts: `(train, valid)` of each of them, as `member_rows` gives them.
        histories: Training curves by stage.
        weights: Share of each answer in the whole, as pairs of the input and the kind
            of head; of all inputs together `(None, "fusion")`; empty for a model
            without a `CalibratedMean`.
        fold_heads: Weights of the fitted heads of each member as they were weighed,
            where those of the model learned from all rows; else empty.
    """

    model: Any
    members: Sequence[Any]
    parts: Sequence[tuple[Any, Any]]
    histories: Mapping[str, Any]
    weights: Mapping[tuple[str | None, str], float]
    fold_heads: Sequence[Any] = ()

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """While it lasts, no member knows the rows that it validates with."""
        from mbm_keras import training

        if not self.fold_heads:
            yield
            return
        now = [training.get_heads(member) for member in self.members]
        self._set_heads(self.fold_heads)
        try:
            yield
        finally:
            self._set_heads(now)

    def _set_heads(self, weights):
        from mbm_keras import training

        for member, values in zip(self.members, weights, strict=True):
            training.set_heads(member, values)


def merge_validation(plan: Any, rows: Any) -> Any:
    """Gives drawn validation rows back to training, where each member has its own.

    Args:
        plan: The plan.
        rows: The `Table`.

    Returns:
        The `Table`, unchanged where there is one member, or where the table itself says
        which rows are for validation.
    """
    from data_pipelines.tables import splits

    if plan.members == 1:
        return rows
    if rows.split_column is not None:
        given = splits.by_column(rows.frame[rows.split_column])
        if "valid" in given:
            return rows
    split = np.where(rows.split == "valid", "train", rows.split)
    return dataclasses.replace(rows, split=split)


def member_rows(plan: Any, rows: Any, samples: Mapping[str, Any]) -> list[tuple]:
    """The rows that each model learns from, and those that it validates with.

    Args:
        plan: The plan.
        rows: The `Table`.
        samples: `Samples` or `Stream` by split.

    Returns:
        A list of `(train, valid)`, one for each model. Without validation rows each
        model takes another fold of the training rows for it. Rows of one group or file
        are in one fold, unless the table's own splits share their files.
    """
    from data_pipelines.tables import select
    from data_pipelines.tables import splits

    train = samples["train"]
    if "valid" in samples:
        return [(train, samples["valid"])] * plan.members
    units, classes = select.find_units(rows, plan.group), select.find_classes(rows)
    good = rows.positions(train.ids)
    if plan.group is None and _splits_share(units, rows.split, good):
        units = np.arange(len(units))
    units = units[good]
    classes = None if classes is None else classes[good]
    number = min(plan.members, len(np.unique(units)))
    folds = splits.by_folds(units, number, plan.seed, classes)
    found = []
    for fold in range(number):
        split = splits.of_fold(units, folds, fold, classes)
        if "valid" in split:  # else its rows are the only ones of their labels
            parts = (train.take(split == name) for name in ("train", "valid"))
            found.append(tuple(parts))
    if not found:
        raise ValueError(
            "Expected labels that two independent rows or groups have, so that one can "
            f"validate what the other teaches. Received: {len(train)} rows, each with "
            "a label of its own. Give a table for validation."
        )
    return found


def _splits_share(units, split, train):
    """Whether most test rows have a file of a training row.

    Then the question is how well the model knows these files, which folds that hold
    whole files back would not tell.
    """
    test = units[split == "test"]
    return len(test) > 0 and np.isin(test, units[train]).mean() > _SHARED


def weight_notes(trained: Any) -> list[str]:
    """Which inputs bring nothing to the answer, as sentences.

    Args:
        trained: A `Trained`.
    """
    weights = trained.fitted.weights
    # The fusion reads all inputs: only where it does not count either, one is left out.
    if not weights or weights[None, "fusion"] > _COUNTS:
        return []
    shares: dict[str, float] = {}
    for (name, _), share in weights.items():
        if name is not None:
            shares[name] = shares.get(name, 0.0) + share
    return [
        f"{name}: brings nothing that the other inputs do not say, and counts only in "
        "rows without them"
        for name, share in shares.items()
        if share < _COUNTS
    ]


def fit_members(
    plan: Any,
    specs: Sequence[Any],
    task: Any,
    parts: Sequence[tuple[Any, Any]],
    folder: Any,
    verbose: str | int,
    callbacks: Sequence[Any] = (),
) -> Fitted | None:
    """Trains every model, weighs their heads, and joins them.

    Args:
        plan: The plan.
        specs: A list of `InputSpec`.
        task: The task to train with.
        parts: What `member_rows` returned.
        folder: Where each stage keeps its checkpoints.
        verbose: As for `train`.
        callbacks: Callbacks of every stage of every model.

    Returns:
        A `Fitted`. If the minutes of the plan end before, it has fewer models. None in
        a process other than the first: what follows the stages is not for it.
    """
    from mbm_keras import training
    from mbm_keras.auto import build

    end = None if plan.minutes is None else time.monotonic() + 60 * plan.minutes
    models: list[Any] = []
    chosen: list[list[int]] = []
    histories = {}
    for number, (train, valid) in enumerate(parts):
        left = None
        if end is not None:
            left = (end - time.monotonic()) / (len(parts) - number)
            left = processes.agree(left)
            if left <= 0 and models:
                break
        if len(parts) > 1 and verbose != 0 and processes.is_first():
            sys.stderr.write(f"model {number + 1} of {len(parts)}\n")
        where = folder / str(number) if len(parts) > 1 else folder
        model, found = _fit_one(
            plan, specs, task, train, valid, where, verbose, number, left, callbacks
        )
        models.append(model)
        prefix = f"{number + 1}, " if len(parts) > 1 else ""
        histories |= {f"{prefix}{name}": history for name, history in found.items()}
    if not processes.is_first():
        return None
    parts = parts[: len(models)]
    for model, (train, valid) in zip(models, parts, strict=True):
        # Resumable without a checkpoint: it takes seconds, and gives the same weights.
        batches = train.batches(_BATCH), valid.batches(_BATCH)
        chosen.append(training.fit_heads(model, *batches, task=task, seed=plan.seed))
        training.fit_scope(model, *batches, task=task)
    weights = {}
    mean = training.calibrated_mean(models[0])
    if mean is not None:
        key = build.length_key(plan, specs)
        answers = [
            training.predict_heads(
                model, valid.batches(_BATCH, bucket_by=key), task=task
            )
            for model, (_, valid) in zip(models, parts, strict=True)
        ]
        shares = training.calibrate(models, training.join_answers(answers), task=task)
        names = [
            (None if position is None else specs[position].name, kind)
            for position, kind in mean.sources
        ]
        weights = dict(zip(names, shares, strict=True))
    fold_heads = _learn_from_all(models, parts, chosen, plan, task)
    model = models[0]
    if len(models) > 1:
        model = training.average(models, task=task)
    return Fitted(model, models, parts, histories, weights, fold_heads)


def _learn_from_all(models, parts, chosen, plan, task):
    """Fits the heads of scikit-learn again, to the rows of all folds.

    Returns:
        Their weights before, by model; empty if all models have the same rows.
    """
    from mbm_keras import training

    (train, valid), (_, other) = parts[0], parts[-1]
    if not chosen[0] or valid is other:
        return []
    before = [training.get_heads(model) for model in models]
    rows = itertools.chain(train.batches(_BATCH), valid.batches(_BATCH))
    # How strongly, the folds said: what most of them chose.
    votes = [collections.Counter(head) for head in zip(*chosen, strict=True)]
    choices = [found.most_common(1)[0][0] for found in votes]
    training.fit_heads(models[0], rows, (), task=task, seed=plan.seed, choices=choices)
    for model in models[1:]:
        training.set_heads(model, training.get_heads(models[0]))
    return before


def _fit_one(
    plan, specs, task, train, valid, folder, verbose, number, seconds, callbacks
):
    """One model, and its histories."""
    import keras

    from mbm_keras.auto import build
    from mbm_keras.training import distribution

    seed = plan.seed + 1_000 * number
    run = functools.partial(
        _run_stages, plan, specs, task, train, valid, folder, verbose, seed
    )
    together = distribution.current()
    if together is None:
        keras.utils.set_random_seed(seed)
        model = build.build_model(plan, specs, task)
        return model, run(model, seconds, callbacks, None)
    with together.scope():
        keras.utils.set_random_seed(seed)
        model = build.build_model(plan, specs, task)
        histories = run(model, seconds, callbacks, together.shard)
    if not together.is_first:
        return None, histories
    keras.utils.set_random_seed(seed)  # its state was on all devices
    return together.localize(model, build.build_model(plan, specs, task)), histories


def _run_stages(
    plan,
    specs,
    task,
    train,
    valid,
    folder,
    verbose,
    seed,
    model,
    seconds,
    callbacks,
    shard,
):
    """The histories of the stages of a model."""
    from mbm_keras.auto import build
    from mbm_keras.auto import stages
    from mbm_keras.training import TimeLimit
    from mbm_keras.training import fit_stages

    # An encoder in the model takes as long as its input is, padding included.
    bucket_by = build.length_key(plan, specs)
    mixed, encoded, learned = build.build_mixup(plan, specs, task)
    train_batches = functools.partial(
        train.batches,
        plan.batch_size,
        shuffle=True,
        seed=seed,
        augment=build.build_augmentation(plan, specs),
        mixup=mixed,
        bucket_by=bucket_by,
        shard=shard,
    )
    size = build.answer_size(plan)
    valid_batches = functools.partial(
        valid.batches, size, mixup=encoded, bucket_by=bucket_by, shard=shard
    )
    return fit_stages(
        model,
        stages.stages_of(plan, model, specs, task.chance(valid.targets[task.name])),
        train_batches,
        valid_batches,
        task=learned,
        folder=folder,
        callbacks=[*callbacks, *([] if seconds is None else [TimeLimit(seconds)])],
        # A step of small towers takes no longer than the return to Python.
        steps_per_execution=8,
        expected=stages.expected_stages(plan, model, specs),
        verbose=verbose,
    )
