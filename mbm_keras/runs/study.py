"""The trials of a search, kept by Optuna in a file of SQLite."""

import json
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto.plan import Plan
from mbm_keras.auto.space import Range
from mbm_keras.auto.space import get
from mbm_keras.auto.space import standard_space
from mbm_keras.auto.space import with_value


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


def metric_of(plan):
    """Name of the first metric of the kind of answer; the loss of others."""
    names = {
        "number": "mae",
        "numbers": "mae",
        "label": "accuracy",
        "labels": "accuracy",
    }
    return names.get(plan.target_kind, "loss")


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
        direction="minimize" if is_minimized(plan) else "maximize",
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


def describe(study, plan, space):
    """The trials, the best one, and what mattered."""
    found = [_trial(trial, space) for trial in study.trials]
    found = [trial for trial in found if trial["state"] in ("complete", "pruned")]
    best = _trial(study.best_trial, space)
    changed = {n: v for n, v in best["choices"].items() if v != get(plan, n)}
    return {
        "metric": metric_of(plan),
        "trials": found,
        "first": found[0]["value"],
        "best": best,
        "choices": changed,
        "importance": _importance(study, space),
    }


def is_minimized(plan):
    """Whether a smaller value is a better one."""
    from mbm_keras.runs.baselines import is_smaller_better

    return is_smaller_better(metric_of(plan))


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


def _encode(value):
    """A value as Optuna keeps it: a list is text."""
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else json.dumps(value)
