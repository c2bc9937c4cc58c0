"""Layers shared by two or more towers, fusions or models."""

from mbm_keras.layers.masked_mean import MaskedMean
from mbm_keras.layers.presence import keep_present
from mbm_keras.layers.sinusoids import Sinusoids

__all__ = ["MaskedMean", "Sinusoids", "keep_present"]
