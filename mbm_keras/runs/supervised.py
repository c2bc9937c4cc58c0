"""The training of a run with a target."""

import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto.plan import Plan
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import processes as in_processes
from mbm_keras.runs import steps
from mbm_keras.runs.baselines import score_baselines
from mbm_keras.runs.decoded import check_broken
from mbm_keras.runs.decoded import check_splits
from mbm_keras.runs.decoded import decode_splits
from mbm_keras.runs.decoded import notes_of
from mbm_keras.runs.decoded import set_aside
from mbm_keras.runs.folds import cross_validate
from mbm_keras.runs.language import learn_language
from mbm_keras.runs.language import write_language
from mbm_keras.runs.members import weight_notes
from mbm_keras.runs.page_pictures import page_pictures
from mbm_keras.runs.report import write_report
from mbm_keras.runs.rows import sample_rows
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import versions
from mbm_keras.runs.scores import score


def train(
    plan: Plan,
    tables: Mapping[str, Any],
    folder: pathlib.Path,
    arguments: Mapping[str, Any],
    clock: Clock,
    verbose: str | int,
) -> None:
    """Trains in a folder that is prepared, see `mbm_keras.runs.folder`.

    Args:
        plan: The plan, with a target.
        tables: `rows`, and `valid` where it is given.
        folder: The folder.
        arguments: Those of the run, as `run.json` holds them.
        clock: When the run began.
        verbose: As for `fit_stages`.
    """
    name, max_broken = arguments["table"], arguments["max_broken"]
    folds = _train_folds(plan, tables, folder, arguments, verbose)
    features, encoder = steps.learn(plan, tables["rows"])
    with in_processes.first_alone():
        decoded = decode_splits(
            tables,
            features,
            {plan.target: encoder},
            folder / "cache",
            arguments["stream"],
        )
    check_broken(tables, decoded.broken, max_broken)
    is_first = in_processes.is_first()
    counts = set_aside(tables, decoded.broken, folder) if is_first else {}
    check_splits(decoded.samples, name, plan.members, decoded.broken)
    notes = notes_of(plan, tables, decoded, encoder)
    if verbose != 0 and is_first:
        sys.stderr.writelines(f"{note}\n" for note in notes)
    trained = steps.fit(
        plan,
        features,
        encoder,
        tables["rows"],
        decoded.samples,
        folder / "stages",
        verbose,
    )
    if not is_first:
        return

    some = tables["rows"]
    result = score(trained, tables, decoded.samples)
    run_folder.save(
        folder,
        model=trained.model,
        features=features,
        targets={plan.target: encoder},
        columns=some.columns,
        sample=sample_rows(tables, features),
    )
    if plan.target_kind == "transcript":
        texts = some.take(some.split == "train").targets(numbers=False)
        known = decoded.samples.get("valid", decoded.samples["train"])
        language = learn_language(texts, encoder, known, trained.model, plan.target)
        write_language(folder, language)
    summary = {
        "run": str(folder),
        "table": name,
        **counts,
        **steps.describe(plan, trained),
        "values": decoded.values,
        "notes": [*notes, *weight_notes(trained)],
        **result.figures,
        **folds,
        "baselines": (
            score_baselines(trained, tables, decoded.samples, result.output)
            if arguments["baselines"]
            else []
        ),
        "versions": versions(),
        **clock.seconds(),
    }
    pages = page_pictures(trained, tables, decoded.samples, encoder)
    write_report(folder, trained, summary, result, pages)
    run_folder.finish(folder, trained.histories, summary)


def _train_folds(plan, tables, folder, arguments, verbose):
    """A run in a folder of its own for each fold, and their figures."""
    if not plan.folds:
        return {}

    def train_fold(plan, table, where, fold):
        of_fold = {**arguments, "plan": plan.to_json(), "fold": fold}
        where.mkdir(parents=True, exist_ok=True)
        if not run_folder.prepare(where, of_fold):
            train(plan, {"rows": table}, where, of_fold, Clock(), verbose)

    return {"folds": cross_validate(plan, tables["rows"], folder, train_fold, verbose)}
