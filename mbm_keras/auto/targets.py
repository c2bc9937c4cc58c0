"""What a target column means: a label, a number, a caption, a transcript ..."""

# Kind of answer -> class in `mbm_keras.preprocessing` that encodes and decodes it.
KINDS = {
    "label": "Label",
    "labels": "Labels",
    "number": "Quantity",
    "caption": "Caption",
    "transcript": "Transcript",
}
_MOST_DATES = 20  # different dates that may be names of classes


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


def _check_list(table, values):
    inner = values.dtype.inner
    if inner.is_float() or inner.is_nested():
        raise ValueError(
            f"Expected labels in the lists of the target {table.target!r} of "
            f"`{table.path}`: strings or whole numbers. Received: {values.dtype}. A "
            "model learns one number per row: give each its own column."
        )


def build_target(kind):
    """The object that encodes and decodes targets of a kind, before `adapt`.

    Args:
        kind: A key of `KINDS`.

    Raises:
        ValueError: If there is no such kind.
    """
    from mbm_keras import preprocessing

    check_kind(kind)
    return getattr(preprocessing, KINDS[kind])()


def check_kind(kind):
    """Raises a `ValueError` unless `kind` is a key of `KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"Expected a task in {list(KINDS)}. Received: {kind!r}.")
