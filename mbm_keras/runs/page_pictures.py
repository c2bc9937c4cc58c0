"""Pages of the last split with what a model found on them, for the report of a run."""

import io

from mbm_keras.auto.plan import OF_PAGES
from mbm_keras.runs.scores import batches_of
from mbm_keras.runs.scores import last_parts
from mbm_keras.runs.scores import last_table

_LOOKED_AT, _SHOWN = 32, 3
_SIDE = 900  # pixels


def page_pictures(trained, tables, samples, encoder):
    """The surest page, the least sure one, and one between, of the first pages.

    A page is as sure as the least sure of its values.

    Args:
        trained: A `Trained`.
        tables: `"rows"`, and `"valid"` where there is a second table.
        samples: `Samples` or `Stream` by split.
        encoder: The adapted target.

    Returns:
        A list of `evaluation.PageAnswer`; empty for another target than of pages.
    """
    if trained.plan.target_kind not in OF_PAGES:
        return []
    import numpy as np

    _, asked = last_parts(trained, samples)[0]
    part = asked.take(np.arange(min(len(asked), _LOOKED_AT)))
    whole = last_table(tables, samples)
    keep = np.zeros(len(whole.rows), bool)
    keep[whole.positions(part.ids)] = True
    table, outputs = whole.take(keep), _answer(trained, part)
    order = table.positions(part.ids)
    pages = np.asarray(table.contents(encoder.page), object)[order]
    name = trained.task.name
    answers = encoder.decode_rows(outputs, name, {encoder.page: _strings(pages)})
    found = encoder.entities_of(answers, name)
    sure = [min((x["probability"] for x in row), default=0.0) for row in found]
    ranked = np.argsort(sure)[::-1]
    spread = np.linspace(0, len(ranked) - 1, min(_SHOWN, len(ranked)))
    shown = ranked[spread.astype(int)]
    scans = _scans(table, order)
    rows = [(f"row {part.ids[i]}", pages[i], found[i], scans[i]) for i in shown]
    return [_to_answer(*row) for row in rows]


def _answer(trained, part):
    from mbm_keras import evaluation
    from mbm_keras.models import for_inference

    model = for_inference(trained.plan.model, trained.model, trained.task)
    batches = batches_of(trained.plan, trained.specs, part)
    return evaluation.predict(model, batches)[0][trained.task.name]


def _strings(pages):
    import tensorflow as tf

    return tf.constant(pages.tolist(), tf.string)


def _scans(table, order):
    """The bytes of the pictures in the order of the rows, `b""` for none."""
    names = table.columns_of("image")
    if not names:
        return [b""] * len(order)
    data = table.contents(names[-1])
    return [data[i] for i in order]


def _to_answer(title, page, found, scan):
    from data_pipelines.formats.page import from_text
    from mbm_keras.evaluation import PageAnswer

    read = from_text(page)
    return PageAnswer(title, read.words, read.boxes, found, _pixels(scan))


def _pixels(data):
    """`(height, width, 3)` uint8; None for anything but a picture."""
    import numpy as np
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data)) as picture:
            picture.thumbnail((_SIDE, _SIDE))
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return None
