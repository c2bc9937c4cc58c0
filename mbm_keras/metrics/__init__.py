"""Arrays in, numbers out: scores that Keras does not have."""

from mbm_keras.metrics.bootstrap import bootstrap_interval
from mbm_keras.metrics.captions import caption_scores
from mbm_keras.metrics.classification import classification_scores
from mbm_keras.metrics.classification import multi_label_scores
from mbm_keras.metrics.confusion import confusion
from mbm_keras.metrics.entities import entity_scores
from mbm_keras.metrics.error_rates import count_errors
from mbm_keras.metrics.error_rates import edit_distance
from mbm_keras.metrics.error_rates import error_rates
from mbm_keras.metrics.ranking import average_precision
from mbm_keras.metrics.ranking import roc_auc
from mbm_keras.metrics.regression import regression_scores
from mbm_keras.metrics.retrieval import retrieval_scores
from mbm_keras.metrics.separation import sdr
from mbm_keras.metrics.separation import separation_scores
from mbm_keras.metrics.separation import si_sdr

__all__ = [
    "average_precision",
    "bootstrap_interval",
    "caption_scores",
    "classification_scores",
    "confusion",
    "count_errors",
    "edit_distance",
    "error_rates",
    "entity_scores",
    "multi_label_scores",
    "regression_scores",
    "retrieval_scores",
    "roc_auc",
    "sdr",
    "separation_scores",
    "si_sdr",
]
