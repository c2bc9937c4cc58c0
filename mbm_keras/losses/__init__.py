"""Losses between embeddings of several modalities.

`CCALoss`, `ContrastiveLoss` and `CyclicTranslationLoss` are layers. A model calls one
on its embeddings; the layer returns them unchanged and adds its loss to the loss of the
model, so that `fit` needs no other argument. Their formulas are functions in
`keras.ops`. Losses of outputs are in `mbm_keras.tasks`.
"""

from mbm_keras.losses.cca import CCALoss
from mbm_keras.losses.cca import correlation
from mbm_keras.losses.contrastive import ContrastiveLoss
from mbm_keras.losses.contrastive import contrastive
from mbm_keras.losses.cyclic import CyclicTranslationLoss

__all__ = [
    "CCALoss",
    "ContrastiveLoss",
    "CyclicTranslationLoss",
    "contrastive",
    "correlation",
]
