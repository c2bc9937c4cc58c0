"""The model card of an export: what a stranger should know before using it.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting",
https://arxiv.org/abs/1810.03993, section 4. Deviation: figures by group of people and
ethical considerations cannot be read from a run; their sections have lines to fill in.
"""

import hashlib
import json
import pathlib

from data_pipelines import files
from mbm_keras.runs.run import class_figures
from mbm_keras.runs.run import figure
from mbm_keras.runs.run import result_rows

FILE = "model_card.md"
FILL_IN = "**[fill in]**"
_TASKS = {
    "classification": "chooses one label",
    "multi_label": "chooses any number of labels",
    "regression": "gives a number",
    "captioning": "writes a text",
    "association": "says which values belong together",
}


def write(folder, metrics, plan, compared, left_out=()) -> None:
    """Writes `model_card.md`.

    Args:
        folder: Folder of the export; its files are listed.
        metrics: The result of the run.
        plan: The `Plan` that it followed.
        compared: A sentence about how the export was checked.
        left_out: Sentences about what the export lacks.
    """
    folder = pathlib.Path(folder)
    sections = {
        f"Model card: {metrics['target']}": _model(metrics, plan, folder),
        "Intended use": _use(metrics),
        "Data": _data(metrics, plan),
        "Figures": _figures(metrics),
        "Limits": [*_limits(metrics), *(f"- {line}" for line in left_out)],
        "Files": [compared, "", *_files(folder)],
    }
    lines: list[str] = []
    for i, (title, text) in enumerate(sections.items()):
        lines += [f"{'##' if i else '#'} {title}", "", *text, ""]
    files.write(folder / FILE, "\n".join(lines))


def _model(metrics, plan, folder):
    inputs = ", ".join(f"`{n}` ({kind})" for n, kind in metrics["inputs"].items())
    values = [f"- `{name}` is served as {what}" for name, what in _values(folder)]
    members = metrics.get("members", 1)
    fused = f", fusion `{metrics['fusion']}`" if metrics.get("fusion") else ""
    several = f", the mean of {members} models" if members > 1 else ""
    versions = ", ".join(f"{n} {v}" for n, v in metrics["versions"].items())
    return [
        f"- Model: `{metrics['model']}`{fused}{several}, "
        f"{metrics['parameters']:,} parameters",
        f"- Inputs: {inputs}",
        *values,
        f"- Task: {metrics['task']}",
        f"- Trained with: {versions}; seed {plan.seed}",
        f"- Contact, date, license: {FILL_IN}",
    ]


def _values(folder):
    """What a SavedModel takes by name of a column; nothing for a network alone."""
    from mbm_keras.export import signature

    path = folder / "assets.extra" / signature.FILE
    if not path.is_file():
        return []
    inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
    return [(name, one["value"]) for name, one in inputs.items()]


def _use(metrics):
    does = _TASKS.get(metrics["task"], f"answers ({metrics['task']})")
    names = ", ".join(f"`{name}`" for name in metrics["columns"])
    return [
        f"From {names} the model {does}: `{metrics['target']}`. Parts may be absent "
        "or corrupt; `status_<input>` of the answer says which were.",
        "",
        f"- Who uses it, and for which decisions: {FILL_IN}",
        f"- What it must not be used for: {FILL_IN}",
        f"- People or groups that its answers concern: {FILL_IN}",
    ]


def _data(metrics, plan):
    splits = metrics.get("splits", {})
    group = f" Rows of one `{plan.group}` are in one split." if plan.group else ""
    lines = [
        f"Table `{pathlib.PurePath(metrics['table']).name}`: {metrics['rows']} rows, "
        f"{metrics['quarantined']} set aside as broken.{group}",
        "",
        f"- Where it comes from, who may use it: {FILL_IN}",
        *(f"- Split `{name}`: {one['rows']} rows" for name, one in splits.items()),
        *(f"- Column `{name}`: {kind}" for name, kind in metrics["columns"].items()),
    ]
    left = metrics["left_out"].items()
    return lines + [f"- Column `{name}` is not read: {why}" for name, why in left]


def _figures(metrics):
    if "splits" not in metrics or "interval" not in metrics:
        return [f"See the report of the run. {FILL_IN}"]
    (_, metric), *rows = result_rows(metrics)
    lines = [f"| | {metric} |", "|---|---|"]
    lines += [
        f"| {_cell(name)} | {value} |"
        for name, value in rows
        if not name.startswith("stage ")
    ]
    shown = metrics["metric"]
    for one in metrics.get("baselines", []):
        if shown in one:
            name = f"baseline: {one['name']} on {_join(one['inputs'])}"
            lines.append(f"| {_cell(name)} | {figure(one[shown])} |")
    for words, value in class_figures(metrics.get("classes", {}))[:50]:
        lines.append(f"| {_cell(words)} | {figure(value)} |")
    return lines


def _limits(metrics):
    lines = [f"- {note}" for note in metrics.get("notes", [])]
    lines.append("- It was tested on rows of the same source as those of training.")
    lines.append(f"- Tested on other sources, by group of people: {FILL_IN}")
    return lines


def _files(folder):
    """Size and checksum of every file."""
    lines = ["| file | bytes | sha256 |", "|---|---|---|"]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != FILE:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = path.relative_to(folder).as_posix()
            lines.append(f"| `{name}` | {path.stat().st_size} | `{digest}` |")
    return lines


def _join(names):
    return names if isinstance(names, str) else " + ".join(names)


def _cell(text):
    return text.replace("|", "\\|")
