"""Clips in the plan of a `video_classifier`: how many frames, in how many crops.

What is seen and what is heard may belong together by its time alone, so the tower of
the sound keeps the time: see `benchmarks/moving_shapes.py`.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

MODEL = "video_classifier"
_FRAMES = 16  # of a crop
_SECONDS = 4.0  # of a crop at most


def plan_clips(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """More frames for the clips of a plan, and sounds whose time counts.

    Args:
        inputs: `InputPlan` by name.

    Returns:
        The same, with the clips and sounds changed.
    """
    changed = dict(inputs)
    for name, planned in inputs.items():
        if planned.modality == "audio":
            changed[name] = dataclasses.replace(
                planned,
                tower="audio_crnn",
                tower_sizes={"filters": (16, 32, 64)},
                reason=f"{planned.reason.partition(';')[0]}; a tower that keeps time",
            )
        if planned.modality == "video":
            number = _num_crops(planned)
            sizes = {**planned.sizes, "num_frames": _FRAMES * number}
            why = f"{planned.reason}; {_FRAMES} frames"
            why += f" in each of {number} crops" if number > 1 else ""
            changed[name] = dataclasses.replace(planned, sizes=sizes, reason=why)
    return changed


def sizes_of_crops(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the model for clips that are too long for one crop.

    Args:
        inputs: `InputPlan` by name.
    """
    numbers = [_num_crops(x) for x in inputs.values() if x.modality == "video"]
    number = max(numbers, default=1)
    return {"num_crops": number, "share": 1 / number} if number > 1 else {}


def _num_crops(planned):
    return math.ceil(planned.sizes["seconds"] / _SECONDS)
