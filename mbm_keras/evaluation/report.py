"""One HTML page about a run, with its pictures inside."""

import base64
import dataclasses
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import jinja2

from data_pipelines import files
from mbm_keras.evaluation import plots
from mbm_keras.evaluation.page_plot import PageAnswer
from mbm_keras.evaluation.page_plot import page_plot
from mbm_keras.tasks.task import best_epoch


@dataclasses.dataclass(frozen=True)
class ReportData:
    """What a report shows, as plain data. Empty parts have no section.

    Args:
        title: Heading.
        facts: What was trained on what: text by name.
        histories: By name of the stage, lists by name of the value, one value per
            epoch, as `fit_stages` returns them.
        splits: By name of the split, values by name, as `evaluate` returns them.
        metric: Name of the value that the bars of subsets show.
        monitor: Name of the metric by which the best epoch was chosen; None for the
            loss.
        subsets: What `subsets` returned; empty for a model with one input.
        baselines: `name`, `inputs` and values of each plain baseline.
        verdict: A sentence that compares the model with the best of them.
        confusion: What `metrics.confusion` returned, `(labels, labels)`; None if the
            target is not one label of several.
        labels: Names of the labels.
        columns: Modality by name of an input column.
        left_out: Reason by name of a column that is not used.
        classes: By label, its figures, as `metrics.classification_scores` has them.
        folds: Figures by fold of a cross-validation, and their mean and deviation.
        pages: Pages with what was found on them.
        notes: Sentences about the rows: what was cut, filled or left out.
        settings: Value by name of a setting of the run.
        versions: Version by name of a library.
    """

    title: str
    facts: Mapping[str, str]
    histories: Mapping[str, Mapping[str, Sequence[float]]]
    splits: Mapping[str, Mapping[str, float]]
    metric: str
    monitor: str | None = None
    subsets: Sequence[Mapping[str, Any]] = ()
    baselines: Sequence[Mapping[str, Any]] = ()
    verdict: str = ""
    confusion: Any = None
    labels: Sequence[str] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    folds: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    pages: Sequence[PageAnswer] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)


def write_report(path: str | pathlib.Path, data: ReportData) -> None:
    """Writes a report.

    Args:
        path: The HTML file to write. It needs no other file.
        data: What it shows.
    """
    histories = {name: h for name, h in data.histories.items() if h}
    pictures = {}
    if histories:
        pictures["curves"] = _png(plots.curves(histories, data.metric))
    if len(data.subsets) > 1:
        pictures["subsets"] = _png(plots.subset_bars(data.subsets, data.metric))
    if data.baselines:
        whole = {"name": "this model", **list(data.splits.values())[-1]}
        bars = plots.baseline_bars(whole, data.baselines, data.metric)
        pictures["baselines"] = _png(bars)
    if data.confusion is not None:
        matrix = plots.confusion_matrix(data.confusion, data.labels)
        pictures["confusion"] = _png(matrix)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["value"] = _text
    page = environment.get_template("report.html.jinja").render(
        data=data,
        stages={n: _best(history, data.monitor) for n, history in histories.items()},
        are_all_subsets=_are_all(data.subsets),
        pictures=pictures,
        pages=[_png(page_plot(page)) for page in data.pages],
        classes={
            f"#{i} {label}": values
            for i, (label, values) in enumerate(data.classes.items())
        },
    )
    files.write(path, page)


def _best(history, monitor):
    """The values of the epoch whose weights are kept."""
    epoch = best_epoch(history, monitor)
    # The loss first, each value before that of validation.
    names = sorted(
        history, key=lambda name: ("loss" not in name, name.removeprefix("val_"), name)
    )
    values = {name: history[name][epoch] for name in names}
    return {"epochs": len(history["loss"]), "best epoch": epoch + 1, **values}


def _are_all(subsets):
    """Whether these are all subsets of the inputs, and not only some."""
    n = max((len(row["inputs"]) for row in subsets), default=0)
    return len(subsets) == 2**n - 1


def _text(value):
    """A value as text: floats with four digits."""
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        is_usual = value == 0 or 1e-3 <= abs(value) < 1e6
        return f"{value:.4f}" if is_usual else f"{value:.4g}"
    return str(value)


def _png(figure):
    return base64.b64encode(figure._repr_png_()).decode()
