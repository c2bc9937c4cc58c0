"""One HTML page that tells how a run went, with its pictures inside."""

import base64
import pathlib

import jinja2

from mbm_keras.evaluation import plots


def write_report(path, *, title, facts, histories, splits, subsets, metric, counts=None,
                 labels=None):  # fmt: skip
    """Writes the report.

    Args:
        path: The HTML file to write. It needs no other file.
        title: Heading.
        facts: What was trained on what, text by name.
        histories: By stage name, lists by figure, as `fit_stages` returns them.
        splits: Figures by split name, as `evaluate` returns them.
        subsets: What `subsets` gave; empty where the model has one input.
        metric: Name of the figure that the bars show.
        counts: What `confusion` gave, None where there is one number to predict.
        labels: Names of the labels.
    """
    stages = [
        {"name": name, "epochs": len(next(iter(history.values()))), **_best(history)}
        for name, history in histories.items()
        if history
    ]
    pictures = {"curves": _png(plots.curves(histories))}
    if subsets:
        pictures["subsets"] = _png(plots.subset_bars(subsets, metric))
    if counts is not None:
        pictures["confusion"] = _png(plots.confusion_matrix(counts, labels))
    folder = pathlib.Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True
    )
    page = environment.get_template("report.html.jinja").render(
        title=title,
        facts=facts,
        stages=stages,
        splits=splits,
        subsets=subsets,
        pictures=pictures,
    )
    pathlib.Path(path).write_text(page, encoding="utf-8")


def _best(history):
    """The figures of the epoch with the best validation loss, which is kept."""
    monitor = "val_loss" if "val_loss" in history else "loss"
    epoch = min(range(len(history[monitor])), key=history[monitor].__getitem__)
    return {"best": epoch + 1, "figures": {n: v[epoch] for n, v in history.items()}}


def _png(figure):
    return base64.b64encode(figure._repr_png_()).decode()
