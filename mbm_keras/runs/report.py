"""The report of a run."""

from mbm_keras.runs.baselines import verdict


def write_report(folder, trained, summary, scores, pages=()):
    """Writes `report.html` of a run.

    Args:
        folder: The run folder.
        trained: A `Trained`.
        summary: What `metrics.json` will hold.
        scores: A `Scores`.
        pages: What `page_pictures` returned.
    """
    from mbm_keras import evaluation
    from mbm_keras.tasks.task import monitor_of

    plan, several = trained.plan, len(trained.specs) > 1
    fusion = summary["fusion"]
    model = f"{plan.model}, {fusion}" if fusion else plan.model
    low, high = summary["interval"]
    weights = ", ".join(f"{n} {share:.2f}" for n, share in summary["weights"].items())
    facts = {
        "table": summary["table"],
        "rows": f"{summary['rows']}, {summary['quarantined']} set aside",
        "target": f"{plan.target} ({summary['task']})",
        "model": f"{model}, {summary['parameters']:,} weights",
        "models averaged": str(summary["members"]),
        f"{summary['metric']}, 95 % interval": f"{low:.4g} to {high:.4g}",
        **({"share of each part in the answer": weights} if weights else {}),
        "time": f"{summary['seconds']} s, {summary['cpu_seconds']} CPU seconds",
    }
    names = (
        "stages",
        "epochs",
        "batch_size",
        "learning_rate",
        "augment",
        "class_weight",
        "loss",
    )
    settings = {name: getattr(plan, name) for name in (*names, "seed")}
    evaluation.write_report(
        folder / "report.html",
        evaluation.ReportData(
            title=f"{plan.target} from {', '.join(plan.columns)}",
            facts=facts,
            histories=trained.histories,
            monitor=monitor_of(trained.task),
            splits=summary["splits"],
            metric=summary["metric"],
            subsets=summary["subsets"] if several else (),
            baselines=summary["baselines"],
            verdict=verdict(summary),
            confusion=scores.counts,
            labels=trained.labels,
            columns=summary["columns"],
            left_out=summary["left_out"],
            classes=summary["classes"],
            folds=_fold_rows(summary.get("folds")),
            pages=pages,
            notes=summary["notes"],
            settings=settings,
            versions=summary["versions"],
        ),
    )


def _fold_rows(folds):
    if folds is None:
        return {}
    mean, deviation = folds["mean"], folds["deviation"]
    return {**folds["figures"], "mean": mean, "standard deviation": deviation}
