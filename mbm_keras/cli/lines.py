"""What a person reads at the end of each command: results as lines of text."""

# What a result of `evaluate` has besides its figures.
_NO_FIGURES = {
    "table", "rows", "quarantined", "evaluated", "columns", "left_out", "values",
    "notes", "classes", "subsets", "seconds", "cpu_seconds",
}  # fmt: skip


def train_lines(metrics):
    """Stages, splits, subsets and what was left out."""
    from mbm_keras.runs.run import result_lines

    lines = result_lines(metrics)
    if metrics["quarantined"]:
        lines.append(f"{metrics['quarantined']} rows: {metrics['run']}/quarantine.csv")
    return lines


def evaluate_lines(result):
    """Rows, figures, labels, the first metric of every subset, and the columns."""
    from mbm_keras.runs.run import class_figures
    from mbm_keras.runs.run import column_lines
    from mbm_keras.runs.run import figure

    figures = {name: result[name] for name in result if name not in _NO_FIGURES}
    rows = f"{result['evaluated']} of {result['rows']} rows"
    lines = [f"{rows}, {result['quarantined']} set aside"]
    lines += [f"{name:<40}{figure(value):>12}" for name, value in figures.items()]
    lines += [
        f"{words:<40}{figure(value):>12}"
        for words, value in class_figures(result["classes"])
    ]
    shown = next(name for name in figures if name != "loss")
    for row in result["subsets"]:
        if shown in row and len(row["inputs"]) < len(result["subsets"][0]["inputs"]):
            lines.append(f"with {' + '.join(row['inputs'])}".ljust(40))
            lines[-1] += f"{figure(row[shown]):>12}"
    return [*lines, *column_lines(result)]


def predict_lines(result):
    """How many rows are answered, and where."""
    from mbm_keras.runs.run import column_lines

    rows = f"{result['answered']} of {result['rows']} rows"
    return [f"{rows} answered in {result['out']}", *column_lines(result)]


def export_lines(result):
    """Where the export is, and how far it differs."""
    if "file" in result:
        return [
            f"{result['file']} in {result['out']}, {result['bytes'] / 1e6:.2f} MB",
            f"{result['compared_rows']} real rows answered, largest difference "
            f"{result['largest_difference']:.1e}",
            *(
                f"{name} {one['file']:.4f}, of the model {one['model']:.4f}: "
                f"{one['file'] - one['model']:+.4f}"
                for name, one in result["figures"].items()
            ),
        ]
    return [
        f"SavedModel in {result['out']}",
        f"{result['compared_rows']} real rows answered without Keras, largest "
        f"difference {result['largest_difference']:.1e}",
    ]


def pack_lines(result):
    """How many rows are in how many shards."""
    size = f"{result['bytes'] / 1e6:.0f} MB"
    rows = f"{result['packed']} of {result['rows']} rows"
    return [f"{rows} packed into {result['shards']} shards, {size}, in {result['out']}"]


def inspect_lines(result):
    """The columns, the balance, and the first broken rows."""
    lines = [
        f"{'column':<20}{'modality':<10}{'missing':>9}{'unreadable':>12}{'distinct':>10}"
    ]
    for name, facts in result["columns"].items():
        lines.append(
            f"{name:<20}{facts['modality']:<10}{facts['missing']:>9}"
            f"{facts['unreadable']:>12}{facts['distinct']:>10}"
        )
    for name, facts in result["columns"].items():
        if facts["reason"]:
            lines.append(f"{name} is left out: {facts['reason']}")
    lines.append(f"{result['rows']} rows, {result['broken_rows']} of them broken")
    lines += result["read"]
    if not result["deep"]:
        lines.append(f"{result['files']} files exist; `--deep` decodes them too")
    for name, counted in result["balance"].items():
        shown = ", ".join(f"{value} {n}" for value, n in counted.items())
        lines.append(f"{name}: {shown}")
    for name, found in result.get("duplicates", {}).items():
        groups, rows, across = (found[k] for k in ("groups", "rows", "across_splits"))
        line = f"{name}: {groups} groups of near duplicates, {rows} rows"
        lines.append(line + (f", {across} of them in two splits" if across else ""))
        for one, other, cosine in found["examples"]:
            lines.append(f"  rows {one} and {other}, cosine {cosine:.3f}")
    for item in result["broken"][:10]:
        lines.append(f"row {item['row']}, {item['column'] or 'row'}: {item['reason']}")
    return lines


def separate_lines(result):
    """How many sounds are where, and what to know about the clip."""
    number, seconds = len(result["speakers"]), result["sound_seconds"]
    return [
        f"{number} sounds of {seconds:.2f} s in {result['out']}",
        *result["warnings"],
    ]


def transcribe_lines(result):
    """The text, or where it is, and what to know about the recording."""
    seconds, words = result["sound_seconds"], len(result["words"])
    said = result["text"]
    if result["out"] is not None:
        said = f"{words} words of {seconds:.2f} s in {result['out']}"
    return [said, *result["warnings"]]


def tune_lines(result):
    """The best trial, what it changes, what mattered, and where the run is."""
    ended = sum(trial["value"] is None for trial in result["trials"])
    best, metric = result["best"], result["metric"]
    lines = [
        f"{len(result['trials'])} trials, {ended} of them ended early",
        f"best {metric} of validation: {best['value']:.4f}, trial {best['number']}",
    ]
    if result["first"] is not None:
        lines.append(f"that of the plan itself: {result['first']:.4f}")
    lines += [f"{name}: {value}" for name, value in result["choices"].items()]
    shares = list(result["importance"].items())[:5]
    if shares:
        lines.append("mattered: " + ", ".join(f"{n} {s:.0%}" for n, s in shares))
    split, figures = list(result["splits"].items())[-1]
    lines.append(f"{split} of the best run, {metric}: {figures[metric]:.4f}")
    return [*lines, f"run: {result['run']}", f"report: {result['report']}"]


def index_lines(result):
    """How many items are in the index."""
    what = f"{result['items']} items of {result['input']} ({result['modality']})"
    lines = [f"{what} in {result['out']}"]
    if result["skipped"]:
        file = f"{result['out']}/quarantine.csv"
        lines.append(f"{result['skipped']} cannot be read: {file}")
    return lines


def search_lines(result):
    """The items of each query with their scores."""
    lines = []
    for one in result["queries"]:
        lines.append(f"{one['query']} ({one['by']})")
        lines += [f"{item['score']:8.3f}  {item['item']}" for item in one["found"]]
    lines += [f"note: {note}" for note in result["notes"]]
    return [*lines, *([f"page: {result['page']}"] if result["page"] else [])]


def quickstart_lines(result):
    """Every command with its lines."""
    made = {
        "inspect": inspect_lines,
        "train": train_lines,
        "evaluate": evaluate_lines,
        "predict": predict_lines,
        "export": export_lines,
    }
    lines = []
    for name, command in result["commands"].items():
        lines += ["", f"$ mbm {command}", *made[name](result[name])]
    return [*lines, "", f"all of it in {result['seconds']} s"]
