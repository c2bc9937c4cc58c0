"""One trial of a search: training by a plan, judged by validation rows."""

import dataclasses
import json
import pathlib
import tempfile
import time
from typing import Any

from mbm_keras.runs import steps
from mbm_keras.runs.study import metric_of


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
            more_targets=plan.further_targets,
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
        check_splits(decoded.samples, "the table", plan.members, decoded.broken)
        # No trial may see the rows that the best run is judged by.
        samples = {n: part for n, part in decoded.samples.items() if n != "test"}
        return features, encoder, rows, samples


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
    metric = metric_of(plan)
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


def _read_by(plan):
    return {
        name: (planned.preprocessor, dict(planned.sizes), dict(planned.columns))
        for name, planned in plan.inputs.items()
    }


def _number_of_stages(plan):
    """Stages of a model; the last one is that of the whole model."""
    if plan.stages == "joint" or len(plan.inputs) < 2:
        return 1
    unimodal = len(plan.inputs) if plan.unimodal_epochs else 0
    return unimodal + bool(plan.fusion_epochs) + 1


def _plain(value):
    return value if value is None else float(value)
