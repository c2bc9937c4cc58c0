"""From the logits of a CTC model to a text, with a language model or without, and when.

language = WordLanguage(NGrams.learn([text.split() for text in texts]), alphabet)
found = PrefixBeam(32, language)(log_p)
spans = word_spans(align(log_p, found.ids), found.ids, space=1)
"""

from mbm_keras.generation.ctc.alignment import Word
from mbm_keras.generation.ctc.alignment import align
from mbm_keras.generation.ctc.alignment import word_spans
from mbm_keras.generation.ctc.greedy import greedy
from mbm_keras.generation.ctc.greedy import log_probabilities
from mbm_keras.generation.ctc.language import Language
from mbm_keras.generation.ctc.language import LetterLanguage
from mbm_keras.generation.ctc.language import WordLanguage
from mbm_keras.generation.ctc.ngrams import NGrams
from mbm_keras.generation.ctc.prefix_beam import Found
from mbm_keras.generation.ctc.prefix_beam import PrefixBeam

__all__ = [
    "Found",
    "Language",
    "LetterLanguage",
    "NGrams",
    "PrefixBeam",
    "Word",
    "WordLanguage",
    "align",
    "greedy",
    "log_probabilities",
    "word_spans",
]
