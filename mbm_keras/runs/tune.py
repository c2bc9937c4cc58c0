"""A search for a better plan."""

import dataclasses
import json
import os
import pathlib
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from data_pipelines import files
from mbm_keras.auto.plan import Plan
from mbm_keras.auto.space import Range
from mbm_keras.auto.space import change
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow
from mbm_keras.runs.study import choose_space
from mbm_keras.runs.study import describe
from mbm_keras.runs.study import open_study
from mbm_keras.runs.study import suggest
from mbm_keras.runs.trial import Rows
from mbm_keras.runs.trial import run_trial

STARTED, FINISHED, STUDY = "tune.json", "result.json", "study.db"


def tune(
    table: Any,
    target: str | Sequence[str] | None = None,
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
        target: As for `plan`; not needed with a plan.
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


def _line(trial, study):
    value = "ended early" if trial.value is None else f"{trial.value:.4f}"
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    best = f"best {study.best_value:.4f}" if _has_best(study) else ""
    return f"trial {trial.number}: {value}, {seconds:.0f} s, {best}".rstrip(", ")


def _has_best(study):
    return any(trial.state.name == "COMPLETE" for trial in study.trials)
