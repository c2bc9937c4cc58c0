"""Questions about a trained model: a model and a dataset in, a table out."""

from mbm_keras.evaluation.figures import figures
from mbm_keras.evaluation.gallery import Query
from mbm_keras.evaluation.gallery import write_gallery
from mbm_keras.evaluation.page_plot import PageAnswer
from mbm_keras.evaluation.page_plot import page_plot
from mbm_keras.evaluation.predict import evaluate
from mbm_keras.evaluation.predict import join
from mbm_keras.evaluation.predict import predict
from mbm_keras.evaluation.predict import score
from mbm_keras.evaluation.report import ReportData
from mbm_keras.evaluation.report import write_report
from mbm_keras.evaluation.search_report import write_search_report
from mbm_keras.evaluation.subsets import subsets
from mbm_keras.evaluation.subsets import subsets_of_several
from mbm_keras.evaluation.zero_shot import label_vectors
from mbm_keras.evaluation.zero_shot import zero_shot_probabilities

__all__ = [
    "PageAnswer",
    "Query",
    "ReportData",
    "evaluate",
    "figures",
    "join",
    "label_vectors",
    "page_plot",
    "predict",
    "score",
    "subsets",
    "subsets_of_several",
    "write_gallery",
    "write_report",
    "write_search_report",
    "zero_shot_probabilities",
]
