"""A search for a better plan."""

import dataclasses
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from data_pipelines import files
from mbm_keras.auto.plan import Plan
from mbm_keras.auto.space import Range
from mbm_keras.auto.space import change
from mbm_keras.auto.space import get
from mbm_keras.auto.space import standard_space
from mbm_keras.auto.space import with_value
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import steps
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow

STARTED, FINISHED, STUDY = "tune.json", "result.json", "study.db"


def tune(
    table: Any,
    target: str | None = None,
    *,
    out: str | os.PathLike = "tuned",
    trials: int = 50,
    minutes: float | None = None,
    space: Mapping[str, Any] | Sequence[str] | None = None,
    plan: Plan | None = None,
    columns: Mapping[str, str] | None = None,
    group: str | None = None,
    task: str | None = None,
    seed: int = 0,
    stream: bool | None = None,
    max_broken: float = 0.05,
    allow_outside: bool = False,
    verbose: str | int = "auto",
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    missing: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Trains with other choices than those of a plan, and keeps the best ones.

    A trial learns from the training rows, and is judged by the first metric of the
    task on the validation rows, as `train` validates: where the plan has several
    models, each row is answered by one that did not learn from it. Test rows are not
    looked at. The first trial is the plan itself. A trial that is worse after an epoch
    than half of the others were is ended. At the end `train` follows the best plan, in
    `<out>/best-<trial>`: an ordinary run, whose figures of the test rows are the ones
    to trust.

    A call that was interrupted continues when it is repeated. So does one that has
    ended, with more `trials`.

    Args:
        table: As for `train`.
        target: Name of the column to learn; not needed with a plan.
        out: Folder for the search: new, empty, or of the same call.
        trials: Number of trials.
        minutes: The most that all trials may take together; None for no limit. The run
            of the best plan comes after it.
        space: What is searched: names of `auto.standard_space`, or by name a list of
            values, or a pair of numbers between which it is; None for all of it.
        plan: The plan to begin with, None for that of `plan`.
        columns: As for `plan`, and so are the next two.
        group: Column whose values never cross splits.
        task: Kind of answer.
        seed: Seed of the search, and of the plan.
        stream: As for `train`, and so are the others.
        max_broken: Largest share of broken rows that is accepted.
        allow_outside: True to follow paths that leave the table's folder.
        verbose: 0 for silence, else a line per trial.
        separator: How text is read.
        encoding: Of a text file.
        decimal: Decimal mark.
        missing: Marks of missing cells.

    Returns:
        A dict: `out`; `run`, the folder of the best run; `trials`, a dict for each with
        `number`, `state`, `value`, `choices` and `seconds`; `metric`; `first`, the
        value of the plan; `best`, a trial; `importance` by name of a choice; `choices`,
        what the best plan has of its own; `report`; `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the folder cannot be written, or the disk is full.
        ValueError: If Optuna is not installed, a choice is unknown, the folder holds
            something else, or the table is not usable.
    """
    from mbm_keras.runs.train import plan as make_plan
    from mbm_keras.runs.train import train

    clock = Clock()
    _check(trials, minutes)
    reading: dict[str, Any] = dict(
        allow_outside=allow_outside,
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        missing=missing,
    )
    if plan is None:
        plan = make_plan(
            table,
            target,
            columns=columns,
            group=group,
            task=task,
            seed=seed,
            **reading,
        )
    space = choose_space(plan, space)
    folder = pathlib.Path(out)
    load_tensorflow()
    rows = Rows(table, plan, stream, max_broken, reading)
    arguments = {
        "read": rows.fingerprint(),
        "plan": plan.to_json(),
        "space": _to_json(space),
        "seed": seed,
    }
    _check_folder(folder, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder):
        run_folder.write_json(folder / STARTED, arguments)
        study = open_study(folder / STUDY, plan, space, seed)
        _search(study, rows, plan, space, trials, minutes, verbose)
        result = describe(study, plan, space)
        best = change(plan, result["best"]["choices"])
        run = train(
            table,
            plan=best,
            out=folder / f"best-{result['best']['number']}",
            stream=stream,
            max_broken=max_broken,
            verbose=verbose,
            **reading,
        )
        result |= {
            "out": str(folder),
            "run": str(run.folder),
            "splits": run.metrics["splits"],
            "report": str(folder / "report.html"),
            **clock.seconds(),
        }
        _write_report(folder, result)
        run_folder.write_json(folder / FINISHED, result)
    return result


def choose_space(plan: Plan, space: Any) -> dict[str, Any]:
    """The space as a dict, each choice with the value of the plan.

    Raises:
        ValueError: If a choice is unknown, or there is nothing to choose.
    """
    standard = standard_space(plan)
    if space is None:
        return standard
    if not isinstance(space, Mapping):
        unknown = [name for name in space if name not in standard]
        if unknown or not space:
            raise ValueError(
                f"Expected some of {sorted(standard)} to search over. Received: "
                f"{list(space)}."
            )
        return {name: standard[name] for name in space}
    found = {}
    for name, values in space.items():
        is_pair = isinstance(values, tuple) and len(values) == 2
        if is_pair and all(type(value) is float for value in values):
            values = Range(*values)
        found[name] = with_value(values, get(plan, name))
    if not found:
        raise ValueError("Expected something to search over. Received: an empty space.")
    return found


class Rows:
    """The decoded rows of a table, for any plan of the search.

    They are decoded again only where a plan has other preprocessors.

    Args:
        table: As for `train`, and so are the others.
        plan: The plan to begin with.
        stream: Whether decoded rows are on the disk.
        max_broken: Largest share of broken rows.
        reading: How the table is read.
    """

    def __init__(self, table, plan, stream, max_broken, reading):
        self._opened = steps.open_rows(
            table,
            plan.target_column,
            columns=plan.columns,
            group=plan.group,
            seed=plan.seed,
            valid_share=plan.valid_share,
            **reading,
        )
        self._columns = plan.columns
        self._stream, self._max_broken = stream, max_broken
        self._cache = tempfile.TemporaryDirectory(prefix="mbm-tune-")
        self._decoded: dict[str, Any] = {}

    def fingerprint(self):
        """What was read, as JSON has it."""
        from data_pipelines.tables.fingerprint import fingerprint

        return fingerprint(dataclasses.replace(self._opened, columns=self._columns))

    def prepare(self, plan):
        """Features, target, table and samples for a plan."""
        key = json.dumps([_read_by(plan), plan.members > 1], default=str)
        if key not in self._decoded:
            self._decoded = {key: self._decode(plan)}
        return self._decoded[key]

    def _decode(self, plan):
        from mbm_keras.runs.decoded import check_broken
        from mbm_keras.runs.decoded import check_splits
        from mbm_keras.runs.decoded import decode_splits
        from mbm_keras.runs.members import merge_validation

        rows = merge_validation(plan, self._opened)
        rows = dataclasses.replace(rows, columns=plan.columns)
        features, encoder = steps.learn(plan, rows)
        targets, tables = {plan.target: encoder}, {"rows": rows}
        cache = pathlib.Path(self._cache.name) / str(time.monotonic_ns())
        decoded = decode_splits(tables, features, targets, cache, self._stream)
        check_broken(tables, decoded.broken, self._max_broken)
        check_splits(decoded.samples, "the table", plan.members)
        # No trial may see the rows that the best run is judged by.
        samples = {n: part for n, part in decoded.samples.items() if n != "test"}
        return features, encoder, rows, samples


def open_study(path, plan, space, seed):
    """The study in a file of SQLite, with the plan itself as its first trial.

    A trial that a process was killed in is asked for again.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    study = optuna.create_study(
        study_name="tune",
        storage=storage,
        load_if_exists=True,
        direction="minimize" if _is_minimized(plan) else "maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    # The stream of random numbers is not in the storage: this is a new one.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)
    if not study.trials:
        study.enqueue_trial({name: _encode(get(plan, name)) for name in space})
    return study


def suggest(trial, space):
    """Values of a trial, by name of the choice."""
    values = {}
    for name, choices in space.items():
        if isinstance(choices, Range):
            value = trial.suggest_float(name, choices.low, choices.high, log=True)
        else:
            encoded = [_encode(value) for value in choices]
            chosen = trial.suggest_categorical(name, encoded)
            value = choices[encoded.index(chosen)]
        values[name] = value
    return values


def _search(study, rows, plan, space, trials, minutes, verbose):
    """Runs the trials that are left, within the time that is left."""
    import optuna

    finished = [
        t for t in study.trials if t.state.is_finished() and t.state.name != "FAIL"
    ]
    used = sum(trial.duration.total_seconds() for trial in finished)
    seconds = None if minutes is None else 60 * minutes - used
    has_value = any(trial.state.name == "COMPLETE" for trial in finished)
    if len(finished) >= trials or (seconds is not None and seconds <= 0 and has_value):
        return
    end = None if seconds is None else time.monotonic() + max(seconds, 0.0)

    def objective(trial):
        chosen = change(plan, suggest(trial, space))
        return run_trial(trial, chosen, rows, end if trial.number else None)

    def report(study, trial):
        if verbose != 0:
            sys.stderr.write(f"{_line(trial, study)}\n")
        if end is not None and time.monotonic() >= end:
            study.stop()

    study.optimize(objective, n_trials=trials - len(finished), callbacks=[report])
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise ValueError(
            "Expected a trial that ends. Received: none within the time; give more "
            "minutes."
        )


def run_trial(trial, plan, rows, end):
    """Trains by a plan; returns the figure of its validation rows.

    Args:
        trial: The trial of Optuna.
        plan: Its plan.
        rows: The `Rows`.
        end: When the search ends, as `time.monotonic` says it; None for never.
    """
    import keras
    import optuna

    from mbm_keras.runs.prune import Prune
    from mbm_keras.runs.scores import score_valid

    keras.utils.clear_session(free_memory=True)
    features, encoder, table, samples = rows.prepare(plan)
    metric = _metric(plan)
    with tempfile.TemporaryDirectory(prefix="mbm-trial-") as folder:
        trained = steps.fit(
            plan,
            features,
            encoder,
            table,
            samples,
            pathlib.Path(folder),
            verbose=0,
            callbacks=[Prune(trial, metric, _number_of_stages(plan), end)],
        )
        figures = score_valid(trained, samples)
    trial.set_user_attr("figures", {n: _plain(value) for n, value in figures.items()})
    value = figures[metric]
    if value is None or value != value:
        raise optuna.TrialPruned
    return float(value)


def describe(study, plan, space):
    """The trials, the best one, and what mattered."""
    found = [_trial(trial, space) for trial in study.trials]
    found = [trial for trial in found if trial["state"] in ("complete", "pruned")]
    best = _trial(study.best_trial, space)
    changed = {n: v for n, v in best["choices"].items() if v != get(plan, n)}
    return {
        "metric": _metric(plan),
        "trials": found,
        "first": found[0]["value"],
        "best": best,
        "choices": changed,
        "importance": _importance(study, space),
    }


def _trial(trial, space):
    values = {}
    for name, choices in space.items():
        value = trial.params.get(name)
        if not isinstance(choices, Range):
            encoded = [_encode(one) for one in choices]
            value = choices[encoded.index(value)] if value in encoded else value
        values[name] = value
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state.name == "COMPLETE" else None,
        "choices": values,
        "seconds": round(seconds, 1),
    }


def _importance(study, space):
    """Share of the variance that each choice explains; empty for too few trials.

    Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter
    Importance", https://proceedings.mlr.press/v32/hutter14.html, by Optuna.
    """
    import optuna

    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: round(float(share), 4) for name, share in found.items()}


def _write_report(folder, result):
    from mbm_keras import evaluation

    evaluation.write_search_report(folder / "report.html", result)


def _check(trials, minutes):
    if trials < 1 or (minutes is not None and not minutes > 0):
        raise ValueError(
            f"Expected trials >= 1 and minutes > 0. Received: trials={trials}, "
            f"minutes={minutes}."
        )
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"Expected `pip install mbm-keras[tune]`. Received: {error}."
        ) from None


def _check_folder(folder, arguments):
    """Refuses a folder with anything but the same search."""
    from data_pipelines.tables import fingerprint

    if not folder.exists() or files.is_empty(folder):
        return
    if not (folder / STARTED).is_file():
        run_folder.check_free(folder)
    before = run_folder.read_json(folder / STARTED)
    now = json.loads(json.dumps(arguments))
    read, read_now = before.pop("read", {}), now.pop("read")
    # Why a plan is as it is may be said in other words.
    is_same = _without_reasons(before) == _without_reasons(now)
    if not is_same or any(fingerprint.changes(read, read_now)):
        raise ValueError(
            f"The folder `{folder}` holds a search with other arguments, or of another "
            "content of the table. Repeat its command, or choose another folder with "
            "`--out`."
        )


def _without_reasons(value):
    if isinstance(value, dict):
        names = [name for name in value if name not in ("reason", "reasons")]
        return {name: _without_reasons(value[name]) for name in names}
    return value


def _to_json(space):
    return {
        name: dataclasses.asdict(values) if isinstance(values, Range) else list(values)
        for name, values in space.items()
    }


def _read_by(plan):
    return {
        name: (planned.preprocessor, dict(planned.sizes), dict(planned.columns))
        for name, planned in plan.inputs.items()
    }


def _encode(value):
    """A value as Optuna keeps it: a list is text."""
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else json.dumps(value)


def _number_of_stages(plan):
    """Stages of a model; the last one is that of the whole model."""
    if plan.stages == "joint" or len(plan.inputs) < 2:
        return 1
    unimodal = len(plan.inputs) if plan.unimodal_epochs else 0
    return unimodal + bool(plan.fusion_epochs) + 1


def _metric(plan):
    """Name of the first metric of the kind of answer."""
    names = {"number": "mae", "label": "accuracy", "labels": "accuracy"}
    return names.get(plan.target_kind, "loss")


def _is_minimized(plan):
    from mbm_keras.runs.baselines import is_smaller_better

    return is_smaller_better(_metric(plan))


def _line(trial, study):
    value = "ended early" if trial.value is None else f"{trial.value:.4f}"
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    best = f"best {study.best_value:.4f}" if _has_best(study) else ""
    return f"trial {trial.number}: {value}, {seconds:.0f} s, {best}".rstrip(", ")


def _has_best(study):
    return any(trial.state.name == "COMPLETE" for trial in study.trials)


def _plain(value):
    return value if value is None else float(value)
