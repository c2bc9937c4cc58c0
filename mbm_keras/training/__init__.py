"""Staged training: a list of stages, each one plain compile and fit; and balance."""

from mbm_keras.training.adaptive_modulation import AdaptiveGradientModulation
from mbm_keras.training.checkpoint import Checkpoint
from mbm_keras.training.dropout_schedule import ModalityDropoutSchedule
from mbm_keras.training.gradient_blending import blending_weights
from mbm_keras.training.gradient_blending import fit_blended
from mbm_keras.training.gradient_noise import gradient_noise
from mbm_keras.training.modality_balance import ModalityBalance
from mbm_keras.training.modality_rates import modality_rates
from mbm_keras.training.stages import Stage
from mbm_keras.training.stages import fit_stages
from mbm_keras.training.stages import standard_stages
from mbm_keras.training.unimodal_heads import GradientModulation
from mbm_keras.training.unimodal_heads import TrueClassProbability
from mbm_keras.training.unimodal_heads import for_unimodal_heads

__all__ = [
    "AdaptiveGradientModulation",
    "Checkpoint",
    "GradientModulation",
    "ModalityBalance",
    "ModalityDropoutSchedule",
    "Stage",
    "TrueClassProbability",
    "blending_weights",
    "standard_stages",
    "fit_blended",
    "fit_stages",
    "for_unimodal_heads",
    "gradient_noise",
    "modality_rates",
]
