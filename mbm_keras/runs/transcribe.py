"""A recording of any length to a text, by a speech recognizer that was exported."""

import dataclasses
import itertools
import os
import pathlib
from typing import Any

import numpy as np

from data_pipelines import files
from mbm_keras.runs.language import build_language
from mbm_keras.runs.language import read_language
from mbm_keras.runs.runtime import Clock
from mbm_keras.runs.runtime import load_tensorflow
from mbm_keras.runs.saved import load_targets
from mbm_keras.runs.subtitles import FORMATS

_OVERLAP = 0.3  # of a window
_BATCH = 8  # windows at once
_PAUSE, _LONGEST, _SEARCHED = 1.0, 30.0, 10.0  # seconds
_BLANK = np.log(0.5)
_NEVER = -30.0  # log probability
_LITTLE_CLIPPING = 0.001  # of the samples


def transcribe(
    recording: str | os.PathLike,
    model: str | os.PathLike,
    out: str | os.PathLike | None = None,
    *,
    beams: int = 16,
    language: str | None = None,
) -> dict[str, Any]:
    """Writes what is said in a recording.

    It is heard in windows, at most as long as the longest recording that the model
    learned from, which end in pauses. Where there is no pause, two overlap, and the
    second takes over at the step that both are most sure to be between two letters.
    Memory does not grow with the recording.

    Args:
        recording: A sound file or a clip.
        model: Folder of a speech recognizer that `mbm export` wrote.
        out: File to write: `.txt`, `.srt`, `.vtt`, or `.json`; None for none.
        beams: Texts that a prefix beam follows; 1 for the most probable letter of every
            step, without a language.
        language: `"words"`, `"letters"` or `"none"`; None for what had the fewest
            errors on rows that the model did not learn from.

    Returns:
        A dict: `out`; `text`; `words`, a list of `word`, `start` and `end` in seconds;
        `sound_seconds`; `windows`; `language`; `warnings`, a list of sentences;
        `seconds` and `cpu_seconds`.

    Raises:
        OSError: If the file cannot be written, or the disk is full.
        ValueError: If the recording does not exist, cannot be decoded, has no sample or
            samples that are not finite; if the model is not a speech recognizer; if
            `out` has another ending.
    """
    clock = Clock()
    write = _check(out, beams)
    from data_pipelines.recordings.sound_windows import Recording

    with Recording(recording) as sound:
        load_tensorflow()
        recognizer = _load(pathlib.Path(model), beams, language)
        heard = _Heard()
        words = []
        for start, log_p in _stretches(_steps(sound, recognizer, heard), recognizer):
            words += recognizer.write(log_p, start)
        rate = sound.rate
    seconds = heard.samples / rate
    if out is not None:
        files.write(pathlib.Path(out), write(words))
    return {
        "out": None if out is None else str(out),
        "text": " ".join(word["word"] for word in words),
        "words": words,
        "sound_seconds": round(seconds, 3),
        "windows": heard.windows,
        "language": recognizer.kind,
        "warnings": _warnings(heard, rate, recognizer.sound.sample_rate),
        **clock.seconds(),
    }


@dataclasses.dataclass
class _Heard:
    """What was found in the samples so far."""

    samples: int = 0
    windows: int = 0
    clipped: int = 0
    loudest: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Recognizer:
    """A served recognizer, and how its answers become words."""

    served: Any
    sound: Any
    column: str
    result: str
    target: Any
    beam: Any
    kind: str

    @property
    def step_seconds(self):
        return self.target.stride * self.sound.frame_seconds

    def hear(self, waves, rate):
        """Log probabilities of some windows."""
        import tensorflow as tf

        from data_pipelines.formats.encode import wav_bytes
        from mbm_keras.generation import ctc

        wavs = [wav_bytes(wave[:, None], rate) for wave in waves]
        answers = self.served.serve({self.column: tf.constant(wavs)})
        return [ctc.log_probabilities(row) for row in answers[self.result].numpy()]

    def write(self, log_p, start):
        """The words of a stretch of steps, of which the first has a number."""
        from mbm_keras.generation import ctc

        ids = ctc.greedy(log_p) if self.beam is None else self.beam(log_p).ids
        spans = ctc.align(log_p, ids)
        alphabet = self.target.alphabet
        return [
            {
                "word": "".join(alphabet[i - 1] for i in word.ids),
                "start": round((start + word.start) * self.step_seconds, 3),
                "end": round((start + word.end) * self.step_seconds, 3),
            }
            for word in ctc.word_spans(spans, ids, self.target.space)
        ]


def _check(out, beams):
    """What writes the file."""
    kind = "txt" if out is None else pathlib.Path(out).suffix.removeprefix(".").lower()
    if kind not in FORMATS or beams < 1:
        raise ValueError(
            f"Expected a file that ends in one of {list(FORMATS)}, and beams >= 1. "
            f"Received: out={out}, beams={beams}."
        )
    if out is not None and not pathlib.Path(out).parent.is_dir():
        raise ValueError(f"Expected a folder for `{out}`.")
    return FORMATS[kind]


def _load(folder, beams, language):
    import tensorflow as tf

    from mbm_keras.export import signature
    from mbm_keras.generation import ctc
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import NormalizedWaveform
    from mbm_keras.preprocessing import Transcript
    from mbm_keras.preprocessing import WhisperLogMel

    extra = folder / "assets.extra"
    path = extra / "features.json"
    features = Features.load(path) if path.is_file() else None
    path = extra / signature.TARGETS
    targets = load_targets(path) if path.is_file() else {}
    inputs = {} if features is None else features.by_name
    sounds = (LogMel, NormalizedWaveform, WhisperLogMel)
    is_sound = [isinstance(f, sounds) for f in inputs.values()] == [True]
    if not is_sound or [type(t) for t in targets.values()] != [Transcript]:
        kinds = [type(x).__name__ for x in (*inputs.values(), *targets.values())]
        raise ValueError(
            f"`{folder}` is not a speech recognizer that `mbm export` wrote: expected "
            f"one sound and one `Transcript`. Received: {kinds}."
        )
    ((column, sound),) = inputs.items()
    ((name, target),) = targets.items()
    results = signature.read_results(folder)
    learned = read_language(extra)
    model = None
    if beams > 1:
        model = build_language(learned, language, target.alphabet)
    kind = "none" if model is None else language or learned["best"]
    return _Recognizer(
        served=tf.saved_model.load(str(folder)),
        sound=sound,
        column=column,
        result=next(r for r, kind in results.items() if kind == ["logits", name]),
        target=target,
        beam=ctc.PrefixBeam(beams, model) if beams > 1 else None,
        kind=kind,
    )


def _steps(sound, recognizer, heard):
    """Log probabilities of consecutive parts of the recording, `(steps, symbols)`."""
    step = recognizer.step_seconds
    length = max(1, int(recognizer.sound.seconds / step + 1e-6))  # steps of a window
    hop = length - int(_OVERLAP * length)
    windows = sound.windows(step, length, hop)
    tail = None  # steps of the window before from the start of this one on
    while some := list(itertools.islice(windows, _BATCH)):
        for window in some:
            heard.samples = window.start + len(window.wave)
            heard.windows += 1
            heard.clipped += window.clipped
            level = float(np.abs(window.wave).max(initial=0.0))
            heard.loudest = max(heard.loudest, level)
        for window, log_p in zip(
            some, recognizer.hear([w.wave for w in some], sound.rate), strict=True
        ):
            first = 0 if tail is None else _take_over(tail, log_p)
            if tail is not None:
                yield tail[:first]
            if window.is_last:
                yield log_p[first:]
                return
            # Until where the next window begins, and what both hear.
            log_p, tail = log_p[: window.steps], log_p[window.steps :]
            if window.ends_in_pause:
                log_p = _end_word(log_p, window.steps, recognizer.target.space)
                tail = None
            yield log_p[first:]


def _end_word(log_p, steps, space):
    """So many steps: what was heard, then blanks, and a space at the end."""
    heard = log_p[: steps - 1]
    symbols = np.zeros(steps - len(heard), int)
    symbols[-1] = space  # 0 is the blank, where no text has a space
    added = np.full((len(symbols), log_p.shape[1]), _NEVER)
    added[np.arange(len(symbols)), symbols] = 0.0
    return np.concatenate([heard, added])


def _take_over(before, after):
    """The step at which the second window continues, in the middle of the overlap."""
    number = min(len(before), len(after))
    low, high = number // 4, max(number // 4 + 1, 3 * number // 4)
    sure = np.minimum(before[low:high, 0], after[low:high, 0])
    return low + int(sure.argmax()) if len(sure) else number


def _stretches(parts, recognizer):
    """Speech between pauses: the number of the first step, and log probabilities."""
    pause = round(_PAUSE / recognizer.step_seconds)
    most = round(_LONGEST / recognizer.step_seconds)
    searched = round(_SEARCHED / recognizer.step_seconds)
    start, kept = 0, None
    for part in parts:
        kept = part if kept is None else np.concatenate([kept, part])
        while (end := _find_end(kept, pause, most, searched)) is not None:
            yield start, kept[:end]
            start, kept = start + end, kept[end:]
    if kept is not None and len(kept):
        yield start, kept


def _find_end(log_p, pause, most, searched):
    """Where a stretch ends; None if it may go on."""
    blank = log_p[:, 0] > _BLANK
    changes = np.flatnonzero(np.diff(blank, prepend=False, append=False))
    runs = changes.reshape(-1, 2)  # starts and ends of blanks
    long = runs[(runs[:, 1] - runs[:, 0] >= pause) & (runs[:, 1] < len(log_p))]
    if len(long):
        return int(long[0].sum() // 2) or None
    if len(log_p) < most:
        return None
    late = runs[runs[:, 1] > len(log_p) - searched]
    if not len(late):
        return len(log_p)
    best = late[(late[:, 1] - late[:, 0]).argmax()]
    return max(1, int(best.sum() // 2))


def _warnings(heard, rate, model_rate):
    """What a person should know about the recording, one sentence each."""
    warnings = []
    if heard.loudest == 0:
        warnings.append("The recording is silent.")
    if heard.clipped > _LITTLE_CLIPPING * heard.samples:
        warnings.append(
            f"The recording is clipped: {heard.clipped} samples are at full scale."
        )
    if rate < model_rate:
        warnings.append(
            f"The recording has {rate} Hz, and the model learned from {model_rate} Hz: "
            "it misses the high tones."
        )
    return warnings
