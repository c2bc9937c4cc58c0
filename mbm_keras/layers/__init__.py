"""Layers shared by two or more towers, fusions or models."""

from mbm_keras.layers.masked_mean import MaskedMean
from mbm_keras.layers.padding import PadSteps
from mbm_keras.layers.padding import WithMask
from mbm_keras.layers.padding import clear
from mbm_keras.layers.padding import frames_mask
from mbm_keras.layers.padding import halve
from mbm_keras.layers.padding import over_bands
from mbm_keras.layers.presence import keep_present
from mbm_keras.layers.sinusoids import Sinusoids

__all__ = [
    "MaskedMean",
    "PadSteps",
    "Sinusoids",
    "WithMask",
    "clear",
    "frames_mask",
    "halve",
    "keep_present",
    "over_bands",
]
