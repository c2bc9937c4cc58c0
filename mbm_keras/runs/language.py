"""The language that a run with transcripts learns from their texts."""

import json
import pathlib
from typing import Any

import numpy as np

from mbm_keras.runs import folder as run_folder

FILE = "language.json"
KINDS = ("words", "letters", "none")
_WEIGHTS = (0.0, 0.3, 0.6, 1.0)
_BEAMS, _MOST_ROWS = 8, 100  # to choose the weight with
_WORD_ORDER, _LETTER_ORDER = 3, 5
# Of each word or letter, times the weight: without one, texts are too short.
_BONUSES = {"words": (1.0, 2.0, 3.0, 4.0), "letters": (0.5, 1.0, 1.5)}


def learn_language(texts: Any, target: Any, samples: Any, model: Any, name: str) -> Any:
    """Counts words and letters of texts, and finds how much they should count.

    Args:
        texts: Texts of the training split.
        target: The adapted `Transcript`.
        samples: Rows that the model did not learn from: the weight and the bonus of a
            language are those with the fewest errors of words on some of them.
        model: The trained model.
        name: Name of the output.

    Returns:
        What `build_language` takes, as plain data that JSON can hold.
    """
    from mbm_keras.generation import ctc
    from mbm_keras.metrics import error_rates
    from mbm_keras.preprocessing.transcript import normalize

    texts = [text for text in map(normalize, texts) if text]
    found: dict[str, Any] = {"letters": ctc.NGrams.learn(texts, _LETTER_ORDER).config()}
    if target.space:
        words = [text.split() for text in texts]
        found["words"] = ctc.NGrams.learn(words, _WORD_ORDER).config()
    log_p, said = _some_rows(target, samples, model, name)
    language: dict[str, Any] = {"kinds": {}, "best": "none"}
    best = None
    for kind, ngrams in found.items():
        errors = {}
        # No language is the same with any bonus.
        choices = [(0.0, 0.0)]
        choices += [(w, w * b) for w in _WEIGHTS if w for b in _BONUSES[kind]]
        for weight, bonus in choices:
            one = {"weight": weight, "bonus": bonus, "ngrams": ngrams}
            beam = ctc.PrefixBeam(_BEAMS, _build(kind, one, target.alphabet))
            heard = [_to_text(beam(row).ids, target) for row in log_p]
            errors[weight, bonus] = error_rates(heard, said)["wer"]
        weight, bonus = min(choices, key=lambda x: (errors[x], x))
        one = {"weight": weight, "bonus": bonus, "ngrams": ngrams}
        language["kinds"][kind] = {**one, "wer": errors[weight, bonus]}
        if weight and (best is None or errors[weight, bonus] < best):
            best, language["best"] = errors[weight, bonus], kind
    return language


def build_language(language: Any, kind: str | None, alphabet: str) -> Any:
    """The language model of a beam, None for none.

    Args:
        language: What `learn_language` returned; None where nothing was learned.
        kind: One of `KINDS`; None for the best.
        alphabet: The characters, in the order of their ids.

    Raises:
        ValueError: If there is no such language.
    """
    kinds = language["kinds"] if language else {}
    chosen = kind or (language["best"] if language else "none")
    if chosen == "none":
        return None
    if chosen not in kinds:
        known = [*kinds, "none"]
        raise ValueError(f"Expected a language in {known}. Received: {chosen!r}.")
    return _build(chosen, kinds[chosen], alphabet)


def read_language(folder: Any) -> Any:
    """What a folder has of `learn_language`; None for nothing."""
    path = pathlib.Path(folder) / FILE
    if not path.is_file():
        return None
    return run_folder.read_json(path)


def write_language(folder: Any, language: Any) -> None:
    """Writes what `learn_language` returned into a folder."""
    from data_pipelines import files

    text = json.dumps(language, ensure_ascii=False)
    files.write(pathlib.Path(folder) / FILE, text)


def _build(kind, one, alphabet):
    from mbm_keras.generation import ctc

    classes = {"words": ctc.WordLanguage, "letters": ctc.LetterLanguage}
    ngrams = ctc.NGrams.from_config(one["ngrams"])
    return classes[kind](ngrams, alphabet, one["weight"], one["bonus"])


def _some_rows(target, samples, model, name):
    """Log probabilities of some rows, and what is said in them."""
    from mbm_keras import evaluation
    from mbm_keras.generation import ctc

    every = np.linspace(0, len(samples) - 1, min(_MOST_ROWS, len(samples)))
    some = samples.take(np.unique(every.astype(int)))
    outputs, targets = evaluation.predict(model, some.batches(32))
    log_p = [ctc.log_probabilities(row) for row in outputs[name]]
    return log_p, [_to_text(ids, target) for ids in targets[name]]


def _to_text(ids, target):
    return "".join(target.alphabet[i - 1] for i in ids if i > 0)
