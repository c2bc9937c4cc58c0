"""The model of a `Spec`."""

from mbm_keras.preprocessing.subwords.byte_pairs import BytePairs
from mbm_keras.preprocessing.subwords.character_pairs import CharacterPairs
from mbm_keras.preprocessing.subwords.spec import Spec
from mbm_keras.preprocessing.subwords.tokens import Model
from mbm_keras.preprocessing.subwords.unigram import Unigram
from mbm_keras.preprocessing.subwords.wordpiece import WordPiece


def make_model(spec: Spec) -> Model:
    """Builds the model that splits words into pieces."""
    ids = spec.ids()
    if spec.kind == "wordpiece":
        return WordPiece(ids, spec.unknown, spec.prefix, spec.most)
    if spec.kind == "unigram":
        return Unigram(ids, spec.scores, spec.unknown, spec.unreachable)
    if spec.kind == "bpe_of_characters":
        return CharacterPairs(
            ids, spec.merges, spec.of_bytes, spec.whole, spec.unreachable
        )
    return BytePairs(ids, spec.merges, spec.suffix, spec.whole, spec.unreachable)
