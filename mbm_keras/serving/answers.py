"""What the model returned, as JSON has it, and what each part of a row brought."""

import math

_NOT_SHOWN = ("logits", "status", "answered")


def describe(found, i, served, top):
    """The answer to one row.

    Args:
        found: Arrays by result, as `Served.answer` returns them.
        i: Position of the row.
        served: The `Served`.
        top: The most labels to list with their probability.

    Returns:
        A dict: `answered`; `status` by input; and by output in `answers`: `answer`,
        `probability` of that label, `probabilities` of the most probable ones, and what
        else the model gives, such as `low` and `high`.
    """
    answers: dict[str, dict] = {}
    row = {"answered": True, "status": {}, "answers": answers}
    for name, (kind, *of) in served.results.items():
        value = found[name][i]
        if kind == "status":
            row["status"][of[0]] = value.decode()
        elif kind == "answered":
            row["answered"] = bool(value)
        elif kind == "probabilities" and of[0] in served.labels:
            labels = served.labels[of[0]]
            answers.setdefault(of[0], {}).update(_most_probable(value, labels, top))
        elif kind not in _NOT_SHOWN:
            answers.setdefault(of[0], {})[kind] = plain(value)
    for answer in answers.values():
        if "answer" in answer and "probabilities" in answer:
            # None where an answer is several labels.
            answer["probability"] = answer["probabilities"].get(answer["answer"])
    return row


def plain(value):
    """A value of an array, or an array, as JSON has it: text, and None for NaN."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _most_probable(shares, labels, top):
    order = shares.argsort()[::-1][:top]
    return {"probabilities": {labels[j]: plain(shares[j]) for j in order}}


def without_parts(row, served):
    """The row without each of its parts, by name of the part.

    Empty where the row has one part only: without it there is no answer.
    """
    present = {
        part: positions
        for part, positions in served.parts.items()
        if not all(served.fields[i].is_empty(row[i]) for i in positions)
    }
    if len(present) < 2:
        return {}
    return {
        part: tuple(
            served.fields[i].empty if i in positions else value
            for i, value in enumerate(row)
        )
        for part, positions in present.items()
    }


def what_parts_bring(found, served):
    """How the answer changes without each part.

    Args:
        found: Arrays by result: the whole row first, then without each part.
        served: The `Served`.

    Returns:
        A dict by output: a list with a number per part. That of a label is its
        probability with the part minus that without; that of a number, how much it
        changes. Outputs of other kinds are left out.
    """
    changes: dict[str, list] = {}
    for name, (kind, *of) in served.results.items():
        values = found[name]
        if kind == "probabilities" and values.ndim == 2:
            best = int(values[0].argmax())
            values = values[:, best]
        elif kind != "answer" or values.dtype.kind != "f" or values.ndim != 1:
            continue
        changes[of[0]] = [plain(values[0] - value) for value in values[1:]]
    return changes
