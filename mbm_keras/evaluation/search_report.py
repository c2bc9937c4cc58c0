"""One HTML page about a search: its trials, and which choices mattered."""

import base64
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np

from data_pipelines import files
from mbm_keras.evaluation.plot_text import all_fonts
from mbm_keras.evaluation.plot_text import plain
from mbm_keras.evaluation.plots import ACCENT
from mbm_keras.evaluation.plots import INK
from mbm_keras.evaluation.plots import SOFT
from mbm_keras.evaluation.plots import Figure

_PANELS = 6  # choices that have a picture of their own, and names on an axis


def write_search_report(path: str | pathlib.Path, result: Mapping[str, Any]) -> None:
    """Writes the report of a search.

    Args:
        path: The HTML file to write. It needs no other file.
        result: What `mbm_keras.runs.tune` returns.
    """
    metric, trials = result["metric"], result["trials"]
    pictures = {"Trials": trial_plot(trials, result["best"], metric)}
    importance = result["importance"]
    if importance:
        pictures["What mattered"] = importance_bars(importance)
    names = list(importance) or list(result["best"]["choices"])
    pictures["Values"] = choice_panels(trials, names[:_PANELS], metric)
    loader = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True)
    template = environment.get_template("search_report.html.jinja")
    encoded = {
        name: base64.b64encode(figure._repr_png_()).decode()
        for name, figure in pictures.items()
    }
    files.write(path, template.render(result=result, pictures=encoded))


@all_fonts
def trial_plot(
    trials: Sequence[Mapping[str, Any]], best: Mapping[str, Any], metric: str
) -> Figure:
    """The value of every trial; those that were ended early are at the bottom.

    Args:
        trials: Dicts with `number` and `value`, None for one that was ended.
        best: The best of them.
        metric: Name of the value.
    """
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    ended = [(t["number"], t["value"]) for t in trials if t["value"] is not None]
    axes.plot(*zip(*ended, strict=True), ".", color=INK, label="trial")
    axes.plot(best["number"], best["value"], "o", color=ACCENT, label="best")
    early = [t["number"] for t in trials if t["value"] is None]
    low = min(value for _, value in ended)  # it has no value of its own
    axes.plot(early, [low] * len(early), "x", color=SOFT, label="ended early")
    axes.set(xlabel="trial", ylabel=plain(metric))
    axes.legend(frameon=False)
    return figure


@all_fonts
def importance_bars(importance: Mapping[str, float]) -> Figure:
    """Share of the variance of the value that each choice explains.

    Args:
        importance: Share by name, the largest first.
    """
    names = list(importance)[::-1]
    figure = Figure(figsize=(7.5, 0.6 + 0.34 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh([plain(n) for n in names], [importance[n] for n in names], color=ACCENT)
    axes.set(xlabel="share of the variance")
    return figure


@all_fonts
def choice_panels(
    trials: Sequence[Mapping[str, Any]], names: Sequence[str], metric: str
) -> Figure:
    """The value of every trial over the values of some choices.

    Args:
        trials: Dicts with `choices` and `value`.
        names: Names of the choices, one panel each.
        metric: Name of the value.
    """
    rows = -(-len(names) // 3)
    figure = Figure(figsize=(9, 2.6 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, 3, squeeze=False)).ravel()
    ended = [trial for trial in trials if trial["value"] is not None]
    for panel, name in zip(panels, names, strict=False):
        pairs = [(trial["choices"][name], trial["value"]) for trial in ended]
        # Positions of an axis of names come in the order of the points.
        pairs.sort(key=lambda pair: (str(type(pair[0])), pair[0] or 0))
        given, heights = zip(*pairs, strict=True)
        is_rate = len(set(given)) > _PANELS and isinstance(given[0], float)
        shown = given if is_rate else [plain(f"{_short(value)}") for value in given]
        panel.plot(shown, heights, ".", color=INK)
        if is_rate:
            panel.set_xscale("log")
        panel.tick_params(axis="x", labelrotation=0 if is_rate else 30)
        panel.set(title=plain(name), ylabel=plain(metric))
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    return figure


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else value
