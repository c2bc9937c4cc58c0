"""Questions about a trained model: a model and a dataset in, a table out."""

from mbm_keras.evaluation.figures import figures
from mbm_keras.evaluation.predict import evaluate
from mbm_keras.evaluation.predict import predict
from mbm_keras.evaluation.predict import score
from mbm_keras.evaluation.report import ReportData
from mbm_keras.evaluation.report import write_report
from mbm_keras.evaluation.subsets import subsets

__all__ = [
    "ReportData",
    "evaluate",
    "figures",
    "predict",
    "score",
    "subsets",
    "write_report",
]
