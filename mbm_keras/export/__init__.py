"""Export a model with its preprocessing, and prove that it serves the same."""

from mbm_keras.export.saved_model import LAST
from mbm_keras.export.saved_model import alone
from mbm_keras.export.saved_model import compare
from mbm_keras.export.saved_model import save

__all__ = ["LAST", "alone", "compare", "save"]
