"""A finished run: the model, how it was made, and what it can be asked."""

import base64
import functools
import hashlib
import html
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from mbm_keras.auto.plan import ASSOCIATION
from mbm_keras.runs import folder as run_folder
from mbm_keras.runs import saved as saved_run
from mbm_keras.runs.baselines import verdict


class Run:
    """A finished run, as `train` and `load` return it.

    What it holds is read from its folder on first use.

        run = mbm.load("run/")
        run.metrics["splits"]
        run.predict([{"question": "how many?", "photo": "a.jpg"}])

    Args:
        folder: The run folder.

    Raises:
        ValueError: If it is not the folder of a finished run.
    """

    is_trained = True  # by `train`: it has metrics, histories and a report

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        run_folder.check_finished(self.folder)

    @property
    def is_association(self) -> bool:
        """Whether it has embeddings of its inputs instead of a target."""
        plan = run_folder.read_json(self.folder / run_folder.STARTED).get("plan", {})
        return plan.get("target_kind") == ASSOCIATION

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of its model, in hexadecimal."""
        with open(self.folder / "model.keras", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @functools.cached_property
    def metrics(self) -> dict:
        """The result as plain data: rows, splits, stages, subsets, seconds."""
        return saved_run.read_metrics(self.folder)

    @functools.cached_property
    def history(self) -> dict:
        """Training curves: lists by stage and figure, one value per epoch."""
        return saved_run.read_histories(self.folder)

    @property
    def baselines(self) -> list[dict]:
        """Figures of plain pipelines on the same rows, see `mbm_keras.baselines`."""
        return self.metrics["baselines"]

    @property
    def report(self) -> pathlib.Path:
        """Path of the report, one HTML file."""
        return self.folder / "report.html"

    @property
    def plan(self):
        """The `Plan` that the run followed."""
        return self.saved.plan

    @property
    def model(self):
        """The trained `keras.Model`."""
        return self.saved.model

    @property
    def features(self):
        """The preprocessors of its inputs, a `mbm_keras.preprocessing.Features`."""
        return self.saved.features

    @property
    def targets(self):
        """What encodes and decodes its target, by output name."""
        return self.saved.targets

    @functools.cached_property
    def saved(self):
        """All of the above, see `mbm_keras.runs.saved.Saved`."""
        from mbm_keras.runs.runtime import load_tensorflow

        load_tensorflow()
        return saved_run.load(self.folder)

    @functools.cached_property
    def task(self):
        """The `mbm_keras.tasks.Task` of its target."""
        from mbm_keras.tasks import task_for

        ((name, target),) = self.targets.items()
        return task_for(name, target)

    @functools.cached_property
    def answering_model(self):
        """The model that answers; another one than `model` where it writes text."""
        from mbm_keras.models import for_inference

        return for_inference(self.plan.model, self.model, self.task)

    @functools.cached_property
    def encoders(self):
        """By key of an input, what embeds it; empty for a run with a target."""
        from mbm_keras.models import dual_encoder

        if not self.is_association:
            return {}
        keys = self.features.by_key
        return {k: dual_encoder.encoder_of(self.model, self.task, k) for k in keys}

    def evaluate(
        self,
        table: Any,
        *,
        stream: bool | None = None,
        max_broken: float = 1.0,
        allow_outside: bool = False,
        separator: str | None = None,
        encoding: str | None = None,
        decimal: str | None = None,
        missing: str | Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Loss, metrics and every subset of the inputs, see `runs.evaluate`."""
        from mbm_keras.runs.evaluate import evaluate

        return evaluate(
            self,
            table,
            stream=stream,
            max_broken=max_broken,
            allow_outside=allow_outside,
            separator=separator,
            encoding=encoding,
            decimal=decimal,
            missing=missing,
        )

    def predict(
        self,
        rows: Any,
        *,
        keep: str | Sequence[str] | None = None,
        probabilities: bool | None = None,
        stream: bool | None = None,
        allow_outside: bool = False,
        separator: str | None = None,
        encoding: str | None = None,
        decimal: str | None = None,
        missing: str | Sequence[str] | None = None,
    ) -> Any:
        """An answer for every row, see `runs.predict`."""
        from mbm_keras.runs.predict import predict

        return predict(
            self,
            rows,
            keep=keep,
            probabilities=probabilities,
            stream=stream,
            allow_outside=allow_outside,
            separator=separator,
            encoding=encoding,
            decimal=decimal,
            missing=missing,
        )

    def zero_shot(
        self,
        items: Any,
        labels: Sequence[str],
        *,
        templates: Sequence[str] | None = None,
        name: str | None = None,
        by: str | None = None,
        allow_outside: bool = False,
    ) -> Any:
        """Labels for values, by the names of the labels, see `runs.zero_shot`."""
        from mbm_keras.runs.zero_shot import zero_shot

        return zero_shot(
            self,
            items,
            labels,
            templates=templates,
            name=name,
            by=by,
            allow_outside=allow_outside,
        )

    def export(
        self,
        out: str | os.PathLike = "served",
        *,
        format: str = "saved_model",
        int8: bool = False,
        check: Any = None,
    ) -> dict[str, Any]:
        """Writes and checks a SavedModel, LiteRT or ONNX, see `runs.export`."""
        from mbm_keras.runs.export import export

        return export(self, out, format=format, int8=int8, check=check)

    def __repr__(self):
        return f"Run({str(self.folder)!r})"

    def __str__(self):
        return "\n".join([repr(self), *self._describe(result_lines)])

    def _describe(self, describe):
        """What a function makes of the figures, which may have been edited."""
        try:
            return list(describe(self.metrics))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            path = self.folder / "metrics.json"
            raise ValueError(
                f"`{path}` is damaged or was edited: {type(error).__name__}: {error}."
            ) from None

    def _repr_html_(self):
        from mbm_keras.evaluation import plots

        figure = plots.curves(self.history)
        curves = base64.b64encode(figure._repr_png_()).decode()
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._describe(result_rows)
        )
        return (
            f"<b>{html.escape(repr(self))}</b><table>{cells}</table>"
            f'<img src="data:image/png;base64,{curves}">'
        )


def result_rows(metrics):
    """Name and value of the metric that reports show, per stage, split and subset.

    Args:
        metrics: The result of a run, see `Run.metrics`.
    """
    shown = metrics["metric"]
    yield "", shown
    for name, figures in metrics["stages"].items():
        yield f"stage {name}", figure(figures[f"val_{shown}"])
    for split, figures in metrics["splits"].items():
        yield f"{split} ({figures['rows']} rows)", figure(figures[shown])
    low, high = (figure(end) for end in metrics["interval"])
    yield f"{split}, 95 % interval", f"{low} to {high}"
    for name, value in figures.items():
        if name not in ("rows", "loss", shown):
            yield f"{split}, {name.replace('_', ' ')}", figure(value)
    if "folds" in metrics:
        spread = metrics["folds"]["deviation"]
        for name, mean in metrics["folds"]["mean"].items():
            label = f"{metrics['folds']['number']} folds, {name.replace('_', ' ')}"
            yield label, f"{mean:.4f} ± {spread[name]:.4f}"
    if len(metrics["inputs"]) > 1:
        for row in metrics["subsets"]:
            if shown in row:
                yield f"with {' + '.join(row['inputs'])}", figure(row[shown])


def result_lines(metrics):
    """`result_rows` as aligned lines of text, the columns, and where the report is."""
    rows = list(result_rows(metrics))
    width = max(40, *(len(name) + 2 for name, _ in rows))
    lines = [f"{name:<{width}}{value:>12}" for name, value in rows]
    lines += column_lines(metrics)
    found = verdict(metrics)
    if found:
        # Said first where it is what matters most.
        lines.insert(0 if "better" in found else len(lines), found)
    return [*lines, f"report: {metrics['run']}/report.html"]


def column_lines(result):
    """The columns that are used and left out, and what happened to their values.

    Args:
        result: A result with `columns`, `left_out` and `notes`.
    """
    used = ", ".join(f"{n} ({held})" for n, held in result["columns"].items())
    return [
        f"used: {used}",
        *(f"left out: {name} ({why})" for name, why in result["left_out"].items()),
        *(f"note: {note}" for note in result["notes"]),
    ]


def class_figures(classes):
    """One figure of each label, or of each of several numbers, and what it is.

    Args:
        classes: Figures by label or by number, as `metrics.json` has them.

    Returns:
        A list of `(words, value)`.
    """
    return [
        (f"label {name}, {values['support']} rows, f1", values["f1"])
        if "f1" in values
        else (f"number {name}, mae", values["mae"])
        for name, values in classes.items()
    ]


def figure(value):
    """A figure as text, `–` for one that is not defined."""
    if value is None or value != value:
        return "–"
    # Errors of numbers have the unit of the target: 1e-20 is not 0.
    is_usual = value == 0 or 1e-3 <= abs(value) < 1e6
    return f"{value:.4f}" if is_usual else f"{value:.4g}"
