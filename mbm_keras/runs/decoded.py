"""The rows of a run: decoded, by split, with every other row accounted for."""

import dataclasses

from mbm_keras.runs.rows import decode_rows
from mbm_keras.runs.rows import write_quarantine
from mbm_keras.runs.transcripts import leave_out_unfit
from mbm_keras.runs.values import describe_values
from mbm_keras.runs.values import value_lines


@dataclasses.dataclass(frozen=True)
class Decoded:
    """Decoded rows of a run, and what happened to the others.

    Args:
        samples: `Samples` or `Stream` by split.
        broken: Lists of `Broken` by name of the table: `"rows"`, and `"valid"` where
            there is a second one.
        values: What was missing, filled, cut or unknown, by name of the table, see
            `mbm_keras.runs.values.describe_values`.
    """

    samples: dict
    broken: dict
    values: dict


def decode_splits(tables, features, targets, cache, stream):
    """Decodes every part once.

    Args:
        tables: `"rows"`, and `"valid"` where there is a second table.
        features: The preprocessors.
        targets: Target by name.
        cache: Folder for decoded rows that do not fit into memory.
        stream: As for `train`.

    Returns:
        A `Decoded`.
    """
    import numpy as np

    from data_pipelines.tables import splits

    samples, broken, values = {}, {}, {}
    for number, (name, part) in enumerate(tables.items()):
        where = cache / str(number)
        decoded, good, wrong = decode_rows(part, features, targets, where, stream)
        decoded, good, unfit = leave_out_unfit(decoded, good, features, targets)
        broken[name] = [*part.broken, *wrong, *unfit]
        values[name] = describe_values(part, features, decoded)
        split = part.split[good] if name == "rows" else np.full(len(decoded), name)
        for split_name in splits.count(split):
            # The rows of a second table for validation replace those of the first.
            samples[split_name] = decoded.take(split == split_name)
    return Decoded(samples, broken, values)


def check_broken(tables, broken, limit):
    """Checks for each table that not too many rows are set aside.

    Args:
        tables: As for `decode_splits`.
        broken: Lists of `Broken` by name of the table, where there are some.
        limit: Largest share.

    Raises:
        ValueError: If more are.
    """
    from data_pipelines import quarantine

    for name, part in tables.items():
        wrong = broken.get(name, part.broken)
        quarantine.refuse_too_many(wrong, part.rows_read, limit, part.path)


def set_aside(tables, broken, folder):
    """Writes a quarantine for each table, and counts rows.

    The rows of the table are in `quarantine.csv`, those of the second table in
    `quarantine-valid.csv`. A file of an earlier table does not stay.

    Args:
        tables: As for `decode_splits`.
        broken: Lists of `Broken` by name of the table.
        folder: The run folder.

    Returns:
        A dict: `rows` and `quarantined`, and the same in `valid_table` where there is a
        second table.
    """
    counts = {}
    for name, file in (("rows", "quarantine.csv"), ("valid", "quarantine-valid.csv")):
        number = write_quarantine(broken.get(name, []), folder / file)
        if name in tables:
            rows = tables[name].rows_read
            counts[name] = {"rows": rows, "quarantined": number}
    second = {"valid_table": counts["valid"]} if "valid" in counts else {}
    return {**counts["rows"], **second}


def notes_of(plan, tables, decoded, encoder):
    """What a person should know about the rows, as sentences.

    Args:
        plan: The plan.
        tables: As for `decode_splits`.
        decoded: What it returned.
        encoder: The adapted target.
    """
    from mbm_keras.preprocessing import PageFields
    from mbm_keras.preprocessing import Quantities
    from mbm_keras.preprocessing import Quantity
    from mbm_keras.preprocessing import Utterance

    notes = [*_length_notes(plan, decoded), *value_lines(decoded.values["rows"])]
    notes += _copy_notes(tables["rows"])
    if "valid" in tables:
        notes += [f"valid, {x}" for x in value_lines(decoded.values["valid"])]
        unused = int((tables["rows"].split == "valid").sum())
        if unused:
            notes.append(
                f"{unused} rows of the split valid are not used: validation has a "
                "table of its own"
            )
    if isinstance(encoder, Quantity) and encoder.describe():
        notes.append(f"{plan.target}: {encoder.describe()}")
    if isinstance(encoder, Quantities):
        notes += [f"{name}: {what}" for name, what in encoder.describe().items()]
    if isinstance(encoder, Utterance):
        notes += _tag_notes(tables["rows"], encoder)
    if isinstance(encoder, PageFields):
        notes += _field_notes(tables["rows"], encoder)
    if plan.target_kind == "label":
        notes += _class_notes(plan.target, decoded.samples, encoder.labels)
    return notes


def _copy_notes(table):
    """Files that were found twice, which decided about the splits."""
    how = "splits count them as one file"
    if table.copies_cross:
        how = (
            "they are in several splits, since a class has one file and its copies "
            "alone: the figures are too good for other files"
        )
    return [
        f"{name}: {number} files are copies of others; {how}"
        for name, number in table.copies.items()
        if name in table.files()
    ]


def _length_notes(plan, decoded):
    """Texts for which more words are read than by default."""
    return [
        f"{name}: up to {planned.sizes['longest']:,} words are read; no text is cut"
        for name, planned in plan.inputs.items()
        if planned.modality == "text"
        and "longest" in planned.sizes
        and "cut" not in decoded.values["rows"].get(name, {})
    ]


def _tag_notes(table, encoder):
    """Tags of entities without a begin, which begin one."""
    rows = table.target_rows(encoder.columns)
    number = encoder.count_repaired(rows)
    if not number:
        return []
    return [
        f"{encoder.tags}: {number} of {len(rows)} rows have an I- or E- without a B- "
        "before it: it counts as the begin of an entity"
    ]


def _field_notes(table, encoder):
    """Values that are not on their pages, or not as whole words."""
    counts = encoder.count_kinds(table.target_rows(encoder.columns))
    words = {
        "none": "are not on their page, and are not learned",
        "part": "are on their page in part",
        "inside": "are on their page inside longer words",
    }
    return [
        f"{name}: {kinds[kind]} of {sum(kinds.values())} values {what}"
        for name, kinds in counts.items()
        for kind, what in words.items()
        if kinds[kind]
    ]


def _class_notes(target, samples, labels):
    import numpy as np

    if not {"train", "valid"} <= set(samples):
        return []
    learned, checked = (
        np.bincount(samples[split].targets[target], minlength=len(labels))
        for split in ("train", "valid")
    )
    missing = [str(labels[i]) for i in np.flatnonzero((learned > 0) & (checked == 0))]
    if not missing:
        return []
    shown = ", ".join(missing[:10]) + (" ..." if len(missing) > 10 else "")
    return [f"{len(missing)} labels have rows in training alone: {shown}"]


def check_splits(samples, table, members, broken):
    """Checks that there are rows to learn from and to validate with.

    Args:
        samples: `Samples` or `Stream` by split.
        table: Name of the table.
        members: Number of models. Several find their validation rows in training.
        broken: What is wrong with the other rows, by name of the table.

    Raises:
        ValueError: If the training or the validation split has no good row.
    """
    for split in ("train", "valid") if members == 1 else ("train",):
        if split not in samples or not len(samples[split]):
            counts = {name: len(part) for name, part in samples.items()}
            raise ValueError(
                f"Expected at least one good row in the split {split!r} of `{table}`. "
                f"Received: {counts}." + _first_reason(broken)
            )


def _first_reason(broken):
    """Why one of the rows that are missing is set aside."""
    for found in broken.values():
        for item in sorted(found):
            if not item.kept:
                column = f", {item.column}" if item.column else ""
                return f" Row {item.row}{column}: {item.reason}."
    return ""
