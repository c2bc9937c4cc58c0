"""Rows whose recording and transcript cannot belong together."""

from typing import Any

import numpy as np


def leave_out_unfit(
    samples: Any, good: Any, features: Any, targets: Any
) -> tuple[Any, Any, list[Any]]:
    """Leaves out rows that a speech recognizer cannot learn from, or be measured by.

    A recording that lost its end has not all of its text. CTC has no alignment of a
    text that needs more steps than a recording has.

    Args:
        samples: `Samples` or a `Stream`.
        good: `(rows,)` bool, which rows of the table they are.
        features: The preprocessors.
        targets: Target by name, or None.

    Returns:
        The rows that fit, the mask of them, and a list of `Broken`. All as they were
        for targets that are not transcripts.
    """
    from data_pipelines.quarantine import Broken
    from mbm_keras.preprocessing import Transcript

    found = [n for n, t in (targets or {}).items() if isinstance(t, Transcript)]
    if not found or not len(samples):
        return samples, good, []
    (name,), (key,) = found, samples.inputs
    reasons = _reasons(samples, key, name, targets[name], features)
    names = {key: name for name, key in features.keys.items()}
    column = features.column_of(names[key])
    broken = [
        Broken(int(samples.ids[row]), column, reason) for row, reason in reasons.items()
    ]
    keep = ~np.isin(np.arange(len(samples)), list(reasons))
    good = np.array(good)
    good[np.flatnonzero(good)[~keep]] = False
    return samples.take(keep), good, broken


def _reasons(samples, key, name, target, features):
    """Why a row does not fit, by its position."""
    from keras import ops

    from mbm_keras.tasks.transcription import num_needed_steps

    frames = samples.lengths(key)
    steps = target.num_steps(frames)
    needed = ops.convert_to_numpy(num_needed_steps(samples.targets[name]))
    sound = features.by_key[key]
    unit = "samples" if sound.modality == "wave" else "frames"
    reasons = {
        int(row): f"too short for its text: {frames[row]} {unit} are "
        f"{steps[row]} steps, and the text needs {needed[row]}"
        for row in np.flatnonzero(steps < needed)
    }
    cut = samples.cut.get(key, np.zeros(len(samples), bool))
    for row in np.flatnonzero(cut):
        reasons[int(row)] = f"longer than {sound.seconds} s, and its text is of all"
    return reasons
