"""What a target column means: a label, a number, a caption, a transcript ..."""

from mbm_keras.auto.plan import CONTINUATION
from mbm_keras.auto.plan import NUMBERS
from mbm_keras.auto.plan import OF_PAGES

# Kind of answer -> class in `mbm_keras.preprocessing` that encodes and decodes it.
KINDS = {
    "label": "Label",
    "labels": "Labels",
    "number": "Quantity",
    "numbers": "Quantities",
    "caption": "Caption",
    CONTINUATION: "Caption",
    "transcript": "Transcript",
    "intent": "Utterance",
    "tags": "Utterance",
    "intent_and_tags": "Utterance",
    "fields": "PageFields",
    "page_tags": "PageFields",
}
_SOME = 200  # cells that are looked at for tags
_MOST_DATES = 20  # different dates that may be names of classes


def choose_kind(table, task=None, model=None):
    """What the target of a table means, as far as it is not given, and why.

    Args:
        table: A `data_pipelines.tables.table.Table` with a target.
        task: A key of `KINDS`, as the user gave it; None to infer it.
        model: Name of the model, as the user gave it; None without.

    Returns:
        A key of `KINDS`, and the reason.

    Raises:
        ValueError: If a column of tags is given with another task.
    """
    both = "intent_and_tags"
    if "page" in table.columns.values() and task in (None, NUMBERS, *OF_PAGES):
        return _of_page(table, task)
    if task in OF_PAGES:
        raise ValueError(
            f"Expected a column of pages for task={task!r}. Received: {table.columns}."
        )
    if task == NUMBERS and table.more_targets:
        columns = (table.target, *table.more_targets)
        return NUMBERS, f"{len(columns)} columns of numbers"
    if task == NUMBERS:
        raise ValueError(
            f"Expected several targets for task={task!r}. Received: {table.target!r}."
        )
    if table.more_targets and task not in (None, both):
        raise ValueError(
            f"Expected task={both!r} with a column of tags. Received: task={task!r}, "
            f"tags={table.more_targets[0]!r}."
        )
    if task == both and not table.more_targets:
        raise ValueError(f"Expected a column of tags for task={both!r}, in `tags`.")
    if task is not None:
        return task, "given"
    if table.more_targets:
        return both, f"{table.more_targets[0]!r} has a tag for each word"
    kind, why = infer_kind(table)
    if kind == "label" and model == "intent_and_slots":
        return "intent", f"{why}, of a sentence"
    if kind == "caption" and list(table.columns) == [table.target]:
        return CONTINUATION, f"{why}, and no input"
    return kind, why


def _of_page(table, task):
    """Fields or tags of a page: `NUMBERS` are several columns of any kind here."""
    values = table.frame[table.target].drop_nulls()
    if task == "page_tags" or (task is None and _are_tags(values)):
        return "page_tags", "its cells are tags of the words of a page"
    columns = (table.target, *table.more_targets)
    return "fields", f"{len(columns)} columns whose values are on a page"


def infer_kind(table):
    """What the target of a table means, and why.

    Args:
        table: A `data_pipelines.tables.table.Table` with a target.

    Returns:
        A key of `KINDS`, and the reason.
    """
    import polars as pl

    from data_pipelines.tables.guess import guess
    from mbm_keras import label_text

    values = table.frame[table.target].drop_nulls()
    if values.dtype.is_float():
        values = values.filter(values.is_finite())
    distinct = values.n_unique()
    if _are_tags(values):
        return "tags", "its cells are tags of words, such as B-city"
    if isinstance(values.dtype, pl.List):
        _check_list(table, values)
        return "labels", "its cells are lists"
    if values.dtype == pl.String:
        separator = label_text.find_separator(values.unique().to_list())
        if separator in (label_text.JSON, label_text.PYTHON, label_text.NUMBERS):
            return "labels", "its cells are lists"
        if separator is not None:
            return "labels", f"cells hold {separator!r}"
    # Whole numbers with few values are names of classes; other numbers are measured.
    if values.dtype.is_float() and not (values % 1 == 0).all():
        return "number", "its values are fractions"
    if values.dtype.is_numeric() and distinct > max(20, len(values) ** 0.5):
        return "number", f"{distinct} different numbers"
    if values.dtype.is_temporal() and distinct > _MOST_DATES:
        raise ValueError(
            f"Expected labels, numbers or texts in the target {table.target!r} of "
            f"`{table.path}`. Received: {values.dtype}. Turn it into a number, such as "
            "the days since a first one, or choose `task`."
        )
    is_text = values.dtype == pl.String and distinct > len(values) / 2
    if is_text and guess(values, None) == "text":
        if set(table.columns.values()) == {"audio"} and len(table.columns) == 1:
            return "transcript", f"{distinct} different texts, and one sound a row"
        return "caption", f"{distinct} different texts in {len(values)} rows"
    return "label", f"{distinct} different values"


def _are_tags(values):
    """Whether all cells have tags of entities, `O` and `B-...`, one per word."""
    import polars as pl

    from mbm_keras.preprocessing.tags import read
    from mbm_keras.tag_scheme import scheme_of

    is_list = values.dtype == pl.List(pl.String)
    if not len(values) or not (is_list or values.dtype == pl.String):
        return False
    tags = {tag for cell in values.head(_SOME).to_list() for tag in read(cell)}
    return "O" in tags and len(tags) > 1 and scheme_of(sorted(tags)) != "any"


def _check_list(table, values):
    inner = values.dtype.inner
    if inner.is_float() or inner.is_nested():
        raise ValueError(
            f"Expected labels in the lists of the target {table.target!r} of "
            f"`{table.path}`: strings or whole numbers. Received: {values.dtype}. Give "
            "each number a column of its own, and name them all as targets."
        )


def build_target(kind, columns=None):
    """The object that encodes and decodes targets of a kind, before `adapt`.

    Args:
        kind: A key of `KINDS`.
        columns: Names of the columns of a target of several, by their role, see
            `Plan.target_columns`.

    Raises:
        ValueError: If there is no such kind.
    """
    from mbm_keras import preprocessing

    check_kind(kind)
    return getattr(preprocessing, KINDS[kind])(**(columns or {}))


def check_kind(kind):
    """Raises a `ValueError` unless `kind` is a key of `KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"Expected a task in {list(KINDS)}. Received: {kind!r}.")
