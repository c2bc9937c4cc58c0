"""Plain baselines on the rows of a run, and whether one of them is better."""

import dataclasses
import functools

import numpy as np

from mbm_keras.runs.scores import interval
from mbm_keras.runs.scores import last_parts
from mbm_keras.runs.scores import last_table
from mbm_keras.runs.scores import units_of

_MOST_WORK = 1_500_000  # rows times answers to learn from: half a minute of one core
_FEWEST, _MOST_ROWS = 3_000, 20_000
_BATCH = 256
_SMALLER_IS_BETTER = ("loss", "mae", "rmse")


def score_baselines(trained, tables, samples, mine):
    """What plain pipelines of scikit-learn make of the rows that the model had.

    Where the last split is that of validation, and each member of the model validated
    on a part of its own, the pipelines learn as often, each time from the other parts.

    Args:
        trained: A `Trained`.
        tables: `"rows"`, and `"valid"` where there is a second table.
        samples: `Samples` or `Stream` by split.
        mine: What the model says of the last split, `(rows, ...)`.

    Returns:
        A list of dicts, as `metrics.json` has them: `name`, `inputs`, `seconds`, the
        figures of the last split, and `difference`, the 95 % interval of the figure of
        the model less that of the baseline; empty where the target is a text.
    """
    from mbm_keras import evaluation
    from mbm_keras.tasks import Classification
    from mbm_keras.tasks import MultiLabel
    from mbm_keras.tasks import Regression

    task = trained.task
    if not isinstance(task, Classification | MultiLabel | Regression):
        return []
    if isinstance(task, Regression):
        # A plain pipeline learns the number itself, where a model has its logarithm.
        task = dataclasses.replace(task, stretch=0.0)
    table = last_table(tables, samples)
    limit = limit_rows(task, [spec.modality for spec in trained.specs])
    pairs = [
        (_some(train, limit), _some(test, _MOST_ROWS))
        for train, test in last_parts(trained, samples)
    ]
    parts = [
        _fit(trained, task, tables["rows"], table, train, test) for train, test in pairs
    ]
    truth = np.concatenate([targets for _, targets in parts])
    score = functools.partial(evaluation.figures, task=task, labels=trained.labels)
    units = units_of(trained.plan, table, [test for _, test in pairs])
    results = []
    for several in zip(*(found for found, _ in parts), strict=True):
        output = np.concatenate([one.output for one in several]).astype("float32")
        figures = score({task.name: output}, {task.name: truth})
        figures.pop("classes", None)
        about = {"name": several[0].name, "inputs": list(several[0].inputs)}
        seconds = round(sum(one.seconds for one in several), 2)
        results.append({**about, "seconds": seconds, **figures})
        if len(output) == len(mine):  # else the baselines answered some of the rows
            own = _plain_output(trained.task, mine)
            results[-1]["difference"] = interval(task, truth, own, units, output)
    return results


def _plain_output(task, output):
    from mbm_keras.tasks import Regression

    if not isinstance(task, Regression):
        return output
    return (task.to_numbers(output) / task.unit).astype("float32")


def _fit(trained, task, table, other, train, test):
    """The baselines that learned from `train`, and the targets of `test`."""
    from mbm_keras import baselines

    specs = trained.specs
    learned = _values(train, specs, table)
    asked = _values(test, specs, other)
    columns = {
        spec.name: baselines.Column(
            spec.modality, learned[spec.name], asked[spec.name], _categories(spec)
        )
        for spec in specs
    }
    targets, truth = (_plain_targets(trained.task, part) for part in (train, test))
    found = baselines.fit_baselines(columns, targets, task=task, seed=trained.plan.seed)
    return found, truth


def _plain_targets(task, part):
    from mbm_keras.tasks import Regression

    targets = np.asarray(part.targets[task.name])
    if not isinstance(task, Regression):
        return targets
    return task.to_numbers(targets) / task.unit


def is_smaller_better(metric):
    """Whether a smaller value of a figure is a better one."""
    return metric in _SMALLER_IS_BETTER


def best(results, metric):
    """The best of several results, None if there is none.

    Args:
        results: Dicts with the figure `metric`.
        metric: Name of a figure.
    """
    known = [row for row in results if row.get(metric) is not None]
    sign = -1 if is_smaller_better(metric) else 1
    return max(known, key=lambda row: sign * row[metric], default=None)


def verdict(metrics):
    """One sentence: how the model and the best baseline compare.

    Args:
        metrics: The result of a run, see `Run.metrics`.
    """
    metric = metrics["metric"]
    winner = best(metrics["baselines"], metric)
    if winner is None:
        return ""
    mine = list(metrics["splits"].values())[-1]
    on = f" on {' + '.join(winner['inputs'])}" if winner["inputs"] else ""
    plain = f"{winner['name']}{on}, {metric} {winner[metric]:.4f}"
    if "difference" in winner:
        low, high = winner["difference"]
        plain += f"; this model {low:+.4g} to {high:+.4g} (95 %)"
    if best([winner, mine], metric) is winner and winner[metric] != mine[metric]:
        return f"a plain baseline is better than this model: {plain}"
    return f"best plain baseline: {plain}"


def limit_rows(task, modalities):
    """The most rows to learn from: what a linear model fits in half a minute.

    It has a line per answer, and the stacking of several inputs fits it on folds too.
    Images, sounds and the like have some thousand rows: describing them takes time.

    Args:
        task: The task.
        modalities: Those of the inputs.
    """
    if not set(modalities) <= {"text", "table"}:
        return _FEWEST
    answers = task.size * (1 if len(modalities) == 1 else 3)
    return min(_MOST_ROWS, max(_FEWEST, _MOST_WORK // answers))


def _some(part, limit):
    """At most `limit` rows, spread evenly."""
    if len(part) <= limit:
        return part
    return part.take(np.linspace(0, len(part) - 1, limit).astype(int))


def _values(part, specs, table):
    """By name of the input, what the pipelines take, `describe`d batch by batch."""
    from mbm_keras import baselines

    texts = [spec for spec in specs if spec.modality == "text"]
    arrays = [spec for spec in specs if spec.modality != "text"]
    described = {spec.name: [] for spec in arrays}
    # Texts are read as the table has them, not as the words of a tower.
    keys = [spec.key for spec in arrays]
    for inputs, _ in part.batches(_BATCH, inputs=keys) if arrays else ():
        for spec in arrays:
            array = np.asarray(inputs[spec.key])
            described[spec.name].append(baselines.describe(spec.modality, array))
    values = {name: np.concatenate(batches) for name, batches in described.items()}
    rows = table.positions(part.ids)
    for spec in texts:
        values[spec.name] = table.raw(spec.name)[rows].tolist()
    return values


def _categories(spec):
    """Which columns of a table are codes; a code above 255 is taken for a number."""
    if spec.modality != "table":
        return None
    sizes = np.array(spec.sizes["categories"])
    numbers = np.zeros(2 * spec.sizes["numbers"], bool)
    return np.concatenate([numbers, sizes < 255]) if len(sizes) else numbers
