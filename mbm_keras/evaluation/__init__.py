"""Answers about a trained model: (model, dataset) in, a table out."""

from mbm_keras.evaluation.captions import caption_scores
from mbm_keras.evaluation.confusion import confusion
from mbm_keras.evaluation.figures import evaluate
from mbm_keras.evaluation.figures import predict
from mbm_keras.evaluation.figures import score
from mbm_keras.evaluation.report import write_report
from mbm_keras.evaluation.separation import sdr
from mbm_keras.evaluation.separation import separation_scores
from mbm_keras.evaluation.separation import si_sdr
from mbm_keras.evaluation.subsets import subsets

__all__ = [
    "caption_scores",
    "confusion",
    "evaluate",
    "predict",
    "score",
    "sdr",
    "separation_scores",
    "si_sdr",
    "subsets",
    "write_report",
]
