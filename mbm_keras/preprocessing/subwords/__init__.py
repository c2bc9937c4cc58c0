"""Texts to subwords: tokenizers of published encoders, in TensorFlow operations alone.

`Normalize` changes characters, `Split` finds words, `Tokens` looks them up and asks one
of three models for the pieces of those that it does not know.
"""

from mbm_keras.preprocessing.subwords.spec import Spec
from mbm_keras.preprocessing.subwords.subwords import Subwords

__all__ = ["Spec", "Subwords"]
