"""Training: stages, each one plain compile and fit; and the balance of modalities."""

from mbm_keras.training import distribution
from mbm_keras.training.adapters import adapt
from mbm_keras.training.adapters import freeze
from mbm_keras.training.adapters import merge
from mbm_keras.training.adaptive_modulation import AdaptiveGradientModulation
from mbm_keras.training.calibrate import calibrate
from mbm_keras.training.calibrate import join as join_answers
from mbm_keras.training.calibrate import predict_heads
from mbm_keras.training.checkpoint import Checkpoint
from mbm_keras.training.dropout_schedule import ModalityDropoutSchedule
from mbm_keras.training.ensemble import average
from mbm_keras.training.fit import fit_stages
from mbm_keras.training.fitted_heads import fit_heads
from mbm_keras.training.fitted_heads import get_heads
from mbm_keras.training.fitted_heads import set_heads
from mbm_keras.training.gradient_blending import blending_weights
from mbm_keras.training.gradient_blending import fit_blended
from mbm_keras.training.gradient_noise import gradient_noise
from mbm_keras.training.heads import calibrated_mean
from mbm_keras.training.heads import heads_model
from mbm_keras.training.modality_balance import ModalityBalance
from mbm_keras.training.modality_rates import modality_rates
from mbm_keras.training.progress import Progress
from mbm_keras.training.scope import fit_scope
from mbm_keras.training.stages import Stage
from mbm_keras.training.stages import standard_stages
from mbm_keras.training.time_limit import TimeLimit
from mbm_keras.training.unimodal_heads import GradientModulation
from mbm_keras.training.unimodal_heads import TrueClassProbability
from mbm_keras.training.unimodal_heads import for_unimodal_heads

__all__ = [
    "AdaptiveGradientModulation",
    "Checkpoint",
    "GradientModulation",
    "ModalityBalance",
    "ModalityDropoutSchedule",
    "Progress",
    "Stage",
    "TimeLimit",
    "TrueClassProbability",
    "adapt",
    "average",
    "blending_weights",
    "calibrate",
    "calibrated_mean",
    "distribution",
    "fit_blended",
    "fit_heads",
    "fit_scope",
    "fit_stages",
    "for_unimodal_heads",
    "freeze",
    "get_heads",
    "gradient_noise",
    "heads_model",
    "join_answers",
    "merge",
    "modality_rates",
    "predict_heads",
    "set_heads",
    "standard_stages",
]
