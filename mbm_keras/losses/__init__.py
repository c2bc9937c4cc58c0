"""Losses between embeddings, which bring modalities together, and of sounds.

Each file of the first kind has a layer that a model calls on embeddings. It gives them
back as they are and adds its loss to the model's, so that `fit` needs to know nothing
of it. What it adds up is a function in `keras.ops`. `SpectrogramLoss` is one for
`compile`.
"""

from mbm_keras.losses.cca import CCALoss
from mbm_keras.losses.cca import correlation
from mbm_keras.losses.contrastive import ContrastiveLoss
from mbm_keras.losses.contrastive import contrastive
from mbm_keras.losses.cyclic import CyclicTranslationLoss
from mbm_keras.losses.spectrogram import SpectrogramLoss

__all__ = [
    "CCALoss",
    "ContrastiveLoss",
    "CyclicTranslationLoss",
    "SpectrogramLoss",
    "contrastive",
    "correlation",
]
