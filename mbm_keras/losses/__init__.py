"""Losses between embeddings of several modalities, and that of a transducer.

`CCALoss`, `ContrastiveLoss` and `CyclicTranslationLoss` are layers. A model calls one
on its embeddings; the layer returns them unchanged and adds its loss to the loss of the
model, so that `fit` needs no other argument. Their formulas are functions in
`keras.ops`. `transducer_loss` is a function of outputs that no task has; the losses of
tasks are in `mbm_keras.tasks`.
"""

from mbm_keras.losses.cca import CCALoss
from mbm_keras.losses.cca import correlation
from mbm_keras.losses.contrastive import ContrastiveLoss
from mbm_keras.losses.contrastive import contrastive
from mbm_keras.losses.cyclic import CyclicTranslationLoss
from mbm_keras.losses.transducer import transducer_loss

__all__ = [
    "CCALoss",
    "ContrastiveLoss",
    "CyclicTranslationLoss",
    "contrastive",
    "correlation",
    "transducer_loss",
]
