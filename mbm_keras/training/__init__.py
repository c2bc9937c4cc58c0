"""Staged training: a list of stages, each one plain compile and fit."""

from mbm_keras.training.checkpoint import Checkpoint
from mbm_keras.training.stages import Stage
from mbm_keras.training.stages import field_stages
from mbm_keras.training.stages import fit_stages

__all__ = ["Checkpoint", "Stage", "field_stages", "fit_stages"]
