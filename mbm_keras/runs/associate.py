"""A run without a target: which values of a row belong together."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from mbm_keras.runs import decoded as rows_of_run
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import processes
from mbm_keras.runs import steps
from mbm_keras.runs.members import fit_members
from mbm_keras.runs.report import write_report
from mbm_keras.runs.rows import sample_rows
from mbm_keras.runs.runtime import versions
from mbm_keras.runs.scores import Scores

_BATCH = 256
_BY_DIRECTION = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")


def train(plan, tables, folder, arguments, clock, verbose):
    """Trains in a folder that is prepared, as `runs.train` does for a target."""
    import keras

    from mbm_keras.auto import build
    from mbm_keras.preprocessing import Matches
    from mbm_keras.tasks import task_for

    name, rows = arguments["table"], tables["rows"]
    keras.utils.set_random_seed(plan.seed)
    learned = rows.take(rows.split == "train")
    features = build.build_features(plan)
    features.adapt({n: learned.raw(n) for n in build.columns_to_adapt(plan)})
    with processes.first_alone():
        decoded = rows_of_run.decode_splits(
            tables, features, None, folder / "cache", arguments["stream"]
        )
    rows_of_run.check_broken(tables, decoded.broken, arguments["max_broken"])
    is_first = processes.is_first()
    counts = rows_of_run.set_aside(tables, decoded.broken, folder) if is_first else {}
    rows_of_run.check_splits(decoded.samples, name, 1, decoded.broken)
    matches = Matches(plan.width, plan.loss or "clip")
    task, specs = task_for(plan.target, matches), features.inputs()
    samples = _number_values(plan, tables, features, decoded, matches)
    notes = rows_of_run.notes_of(plan, tables, decoded, matches)
    fitted = fit_members(
        plan,
        specs,
        task,
        [(samples["train"], samples["valid"])],
        folder / "stages",
        verbose,
    )
    if not is_first:
        return
    trained = steps.Trained(plan, specs, task, (), fitted)
    found = {
        split: score(trained.model, task, specs, part)
        for split, part in samples.items()
    }
    last = list(found)[-1]
    run_folder.save(
        folder,
        model=trained.model,
        features=features,
        targets={plan.target: matches},
        columns=rows.columns,
        sample=sample_rows(tables, features),
    )
    summary = {
        "run": str(folder),
        "table": name,
        **counts,
        **steps.describe(plan, trained),
        "fusion": None,
        "values": decoded.values,
        "notes": [*notes, _NOTE],
        "splits": {split: one.figures for split, one in found.items()},
        "interval": found[last].interval(),
        "classes": {},
        "subsets": [],
        "baselines": [],
        "versions": versions(),
        **clock.seconds(),
    }
    write_report(folder, trained, summary, Scores({}, None, None))
    run_folder.finish(folder, trained.histories, summary)


def _number_values(plan, tables, features, decoded, matches):
    """Samples by split, with the numbers of their values as target."""
    samples = {}
    for split, part in decoded.samples.items():
        table = tables.get(split, tables["rows"])
        numbers = matches.encode(name_values(table, features, part))
        samples[split] = part.with_targets({plan.target: numbers})
    return samples


_NOTE = (
    f"recall while it trains is among the {_BATCH} rows of a batch, that of a split "
    "among all of its values"
)


@dataclasses.dataclass(frozen=True)
class Found:
    """How well the inputs of a split find each other.

    Args:
        figures: `rows`; `recall_at_1`, `recall_at_5`, `recall_at_10`, `median_rank`,
            `mean_average_precision` and `chance_at_1` ..., means over all directions;
            and the first four by direction, such as `"caption to photo, recall_at_1"`.
        hits: For each direction, which queries found a match first.
    """

    figures: dict[str, float]
    hits: list[np.ndarray]

    def interval(self) -> list[float]:
        """The 95 % interval of `recall_at_1`, over queries drawn with replacement."""
        from mbm_keras.metrics import bootstrap_interval

        hits = np.concatenate(self.hits)
        share = np.concatenate([np.full(len(h), 1 / len(h)) for h in self.hits])

        def score(drawn):
            return float(np.sum(hits[drawn] * share[drawn]) / np.sum(share[drawn]))

        return list(bootstrap_interval(score, np.arange(len(hits))))


def score(model: Any, task: Any, specs: Any, samples: Any) -> Found:
    """Scores a search from each input to each other one, over all values of a split.

    Args:
        model: A trained `dual_encoder`.
        task: Its task.
        specs: A list of `InputSpec`.
        samples: `Samples` or `Stream`, with the numbers of values as target.

    Returns:
        A `Found`.

    Raises:
        ValueError: If no row has two inputs.
    """
    from mbm_keras import evaluation
    from mbm_keras.metrics.retrieval import scores_of
    from mbm_keras.metrics.retrieval import search_ranks

    outputs, targets = evaluation.predict(model, samples.batches(_BATCH), task=task)
    packed, numbers = outputs[task.name], targets[task.name]
    present = np.any(packed[..., :-2] != 0, axis=-1)  # (rows, n)
    figures: dict[str, float] = {}
    means, hits = [], []
    for i, j in itertools.permutations(range(len(specs)), 2):
        both = present[:, i] & present[:, j]
        if not both.any():
            continue
        (a, first_a), (b, first_b) = (
            _distinct(numbers[both, k], packed[both, k, :-2]) for k in (i, j)
        )
        pairs = np.stack([a, b], axis=1)
        ranks = search_ranks(first_a, first_b, pairs)
        found = scores_of(ranks)
        direction = f"{specs[i].name} to {specs[j].name}"
        figures |= {f"{direction}, {name}": found[name] for name in _BY_DIRECTION}
        means.append(found)
        hits.append(ranks.first == 1)
    if not means:
        raise ValueError("Expected a row with two inputs or more. Received: none.")
    mean = {n: float(np.mean([one[n] for one in means])) for n in means[0]}
    return Found({"rows": len(numbers), **mean, **figures}, hits)


def _distinct(numbers, embeddings):
    """Which of the distinct values each row has, and their embeddings."""
    _, first, index = np.unique(numbers, return_index=True, return_inverse=True)
    return index, embeddings[first]


def name_values(table: Any, features: Any, samples: Any) -> list[list]:
    """What identifies the value of each input of each row.

    Two files with the same bytes are one value, whatever they are called.

    Args:
        table: The `Table`.
        features: The preprocessors.
        samples: `Samples` or `Stream` of some of its rows.

    Returns:
        A list for each input, `(rows,)`; None where it is absent.
    """
    from data_pipelines.decoding.status import is_present
    from data_pipelines.tables.copies import name_contents

    frame, _ = name_contents(table)
    positions = table.positions(samples.ids)
    present = {key: is_present(state) for key, state in samples.status.items()}
    columns = []
    for key, names in features.columns().items():
        if len(names) == 1 and names[0] in frame.columns:
            values = frame[names[0]].gather(positions).to_list()
            values = [x if isinstance(x, (str, bytes)) else repr(x) for x in values]
        else:  # a row of a table, or a sound track: a value of its own
            values = [int(position) for position in positions]
        known = np.asarray(present[key]).tolist()
        columns.append([x if ok else None for x, ok in zip(values, known, strict=True)])
    return columns


def evaluate(run: Any, rows: Any, samples: Any) -> dict[str, Any]:
    """Figures of a run on a table, for `runs.evaluate`.

    Args:
        run: A `Run` of an association.
        rows: The `Table`.
        samples: `Samples` or `Stream` of its good rows.

    Returns:
        The figures of `score`, the number of rows excepted.
    """
    ((name, matches),) = run.saved.targets.items()
    features = run.saved.features
    numbers = matches.encode(name_values(rows, features, samples))
    part = samples.with_targets({name: numbers})
    found = score(run.model, run.task, features.inputs(), part)
    return {n: value for n, value in found.figures.items() if n != "rows"}
