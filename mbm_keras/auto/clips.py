"""The plans of models for clips and sounds: frames, crops and towers.

What is seen and what is heard may belong together by its time alone, so the tower of
the sound keeps the time. `benchmarks/moving_shapes.py` is about such clips.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

VIDEO, SOUND = "video_classifier", "sound_classifier"
VOICE, MUSIC = "language_identifier", "music_classifier"
_FRAMES = 16  # of a crop
_SECONDS = 4.0  # of a crop of a clip at most
_HOP = 0.02  # seconds between frames of music
_LONG, _CROPS, _SHARE = 2.0, 5, 0.5  # seconds of a sound that is cropped, and how


def plan_clips(inputs: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Inputs as these models take them; those of other models stay as they are.

    Args:
        inputs: `InputPlan` by name.
        model: Name of the model.

    Returns:
        `InputPlan` by name.
    """
    changes = {
        VIDEO: {"video": _clip, "audio": _keep_time},
        SOUND: {"audio": _attend},
        VOICE: {"audio": _to_its_end},
        MUSIC: {"audio": _listen},
    }
    by_modality = changes.get(model, {})
    return {
        name: by_modality.get(planned.modality, lambda same: same)(planned)
        for name, planned in inputs.items()
    }


def sizes_of_crops(inputs: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Arguments of the model for clips and sounds: crops, and the rate of samples.

    Args:
        inputs: `InputPlan` by name.
        model: Name of the model.
    """
    if model == VIDEO:
        numbers = [_num_crops(x) for x in inputs.values() if x.modality == "video"]
        number = max(numbers, default=1)
        return {"num_crops": number, "share": 1 / number} if number > 1 else {}
    sizes: dict[str, Any] = {}
    for planned in inputs.values() if model == SOUND else ():
        if planned.preprocessor == "Waveform":
            sizes["sample_rate"] = planned.sizes["sample_rate"]
            if planned.sizes["seconds"] >= _LONG:
                sizes |= {"num_crops": _CROPS, "share": _SHARE}
    return sizes


def _num_crops(planned):
    return math.ceil(planned.sizes["seconds"] / _SECONDS)


def _clip(planned):
    number = _num_crops(planned)
    sizes = {**planned.sizes, "num_frames": _FRAMES * number}
    why = f"{planned.reason}; {_FRAMES} frames"
    why += f" in each of {number} crops" if number > 1 else ""
    return dataclasses.replace(planned, sizes=sizes, reason=why)


def _keep_time(planned):
    sizes = {"filters": [16, 32, 64]}
    return _with_tower(planned, "audio_crnn", sizes, "a tower that keeps time")


def _attend(planned):
    """Samples, which training may mix; the model makes spectrograms of them."""
    tower = _with_tower(planned, "audio_attention", {}, "attention over time")
    if planned.preprocessor != "LogMel":
        return tower
    sizes = {name: planned.sizes[name] for name in ("sample_rate", "seconds")}
    return dataclasses.replace(tower, preprocessor="Waveform", sizes=sizes)


def _to_its_end(planned):
    """A recording of any length: what comes after its end is not silence."""
    plain = _with_tower(planned, None, {}, "to its end")
    return dataclasses.replace(plain, sizes={**planned.sizes, "variable": True})


def _listen(planned):
    """Longer hops than those of speech, so that long filters hear two bars."""
    plain = _with_tower(planned, None, {}, f"hops of {_HOP} s")
    return dataclasses.replace(plain, sizes={**planned.sizes, "hop": _HOP})


def _with_tower(planned, tower, sizes, why):
    reason = f"{planned.reason.partition(';')[0]}; {why}"
    return dataclasses.replace(planned, tower=tower, tower_sizes=sizes, reason=reason)
