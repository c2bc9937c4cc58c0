"""Answers about a trained model: (model, dataset) in, a table out."""

from mbm_keras.evaluation.figures import evaluate
from mbm_keras.evaluation.figures import predict
from mbm_keras.evaluation.figures import score
from mbm_keras.evaluation.report import write_report
from mbm_keras.evaluation.subsets import subsets

__all__ = [
    "evaluate",
    "predict",
    "score",
    "subsets",
    "write_report",
]
