"""Layers shared by two or more towers, fusions or models."""

from mbm_keras.layers.attention_block import AttentionBlock
from mbm_keras.layers.gradient_scale import GradientScale
from mbm_keras.layers.learned_tokens import LearnedTokens
from mbm_keras.layers.learned_tokens import repeat_for
from mbm_keras.layers.masked_batch_normalization import MaskedBatchNormalization
from mbm_keras.layers.masked_mean import MaskedMean
from mbm_keras.layers.masked_mean import masked_mean
from mbm_keras.layers.modality_dropout import ModalityDropout
from mbm_keras.layers.padding import PadSteps
from mbm_keras.layers.padding import RealPlaces
from mbm_keras.layers.padding import WithMask
from mbm_keras.layers.padding import clear
from mbm_keras.layers.padding import frames_mask
from mbm_keras.layers.padding import halve
from mbm_keras.layers.padding import rows_mask
from mbm_keras.layers.placeholders import LearnedPlaceholder
from mbm_keras.layers.placeholders import MeanPlaceholder
from mbm_keras.layers.presence import OnlyPresent
from mbm_keras.layers.presence import keep_present
from mbm_keras.layers.presence import only_present
from mbm_keras.layers.presence import present_mean
from mbm_keras.layers.presence import present_or_ones
from mbm_keras.layers.presence import present_softmax
from mbm_keras.layers.sinusoids import Sinusoids

__all__ = [
    "AttentionBlock",
    "GradientScale",
    "LearnedPlaceholder",
    "LearnedTokens",
    "MaskedBatchNormalization",
    "MaskedMean",
    "MeanPlaceholder",
    "ModalityDropout",
    "OnlyPresent",
    "PadSteps",
    "RealPlaces",
    "Sinusoids",
    "WithMask",
    "clear",
    "frames_mask",
    "halve",
    "keep_present",
    "masked_mean",
    "only_present",
    "present_mean",
    "present_or_ones",
    "present_softmax",
    "repeat_for",
    "rows_mask",
]
